import { expect, it } from "vitest";
import { shareOf } from "./units.js";

it.each([1, 2, 3, 7, 20])("%i processes have every unit once, in order", (of) => {
  const bytes = [5, 900, 0, 40, 40, 40, 300, 2, 2, 2];
  const shares = Array.from({ length: of }, (_, index) => shareOf(bytes, index, of));
  expect(shares.flat()).toEqual(bytes.map((_, unit) => unit));
});

it("shares are alike in bytes, not in number", () => {
  expect([0, 1].map((index) => shareOf([100, 10, 10, 10, 10, 10, 10, 10, 10, 20], index, 2))).toEqual([[0], [1, 2, 3, 4, 5, 6, 7, 8, 9]]);
});
