import * as w from "@weft/tensor-core";
import { describe, it } from "vitest";
import { expectSame, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("argmax and argmin", () => {
  it("finds the first of equal values, along any axis", async () => {
    const equal = w.tensor([
      [1, 3, 3, 0],
      [2, 2, 2, 2],
      [-1, -5, -5, -1],
    ]);
    await expectSame(gpu.device, () => [
      w.argmax(equal),
      w.argmin(equal),
      w.argmax(equal, 0),
      w.argmax(x([3, 200])),
      w.argmin(x([200, 3], "i32"), 0),
      w.argmax(x([2, 9, 5], "bf16"), 1),
    ]);
  });
  it("treats NaN and infinities as the reference", async () => {
    await expectSame(gpu.device, () => [
      w.argmax(
        w.tensor([
          [NaN, 3],
          [1, NaN],
          [-Infinity, -Infinity],
        ]),
      ),
      w.argmin(
        w.tensor([
          [NaN, 3],
          [1, NaN],
          [Infinity, Infinity],
        ]),
      ),
    ]);
  });
});
