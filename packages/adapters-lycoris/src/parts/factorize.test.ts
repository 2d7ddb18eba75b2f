import { expect, it, test } from "vitest";
import { factorize } from "./factorize.js";

// Values of lycoris.functional.general.factorization.
test.each([
  [320, -1, [16, 20]],
  [320, 8, [8, 40]],
  [768, 16, [16, 48]],
  [20, 7, [4, 5]],
  [10, 16, [2, 5]],
  [16, 32, [4, 4]],
  [127, -1, [1, 127]],
  [127, 8, [1, 127]],
  [6, 3, [2, 3]],
] as const)("factorize(%i, %i) is %j", (d, factor, want) => expect(factorize(d, factor)).toEqual(want));

it("does not sort where the factor divides, for PEFT", () => expect(factorize(6, 3, false)).toEqual([3, 2]));
