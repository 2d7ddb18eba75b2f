import * as w from "@weft/tensor-core";
import { describe, it } from "vitest";
import { expectSame, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("pad", () => {
  it("surrounds with a constant", async () => {
    for (const dtype of ["f32", "bf16", "i32", "u8"] as const) {
      await expectSame(gpu.device, () => [
        w.pad(x([2, 3], dtype), [1, 0], [0, 2], 7),
        w.pad(x([5], dtype), [2], [3]),
        w.pad(x([2, 1, 3], dtype), [0, 1, 1], [1, 0, 1], 1),
      ]);
    }
  });
  it("pads with infinity", async () => {
    await expectSame(gpu.device, () => w.pad(x([3]), [1], [1], -Infinity));
  });
});
