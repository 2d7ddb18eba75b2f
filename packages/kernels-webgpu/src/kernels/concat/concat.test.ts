import * as w from "@weft/tensor-core";
import { describe, it } from "vitest";
import { expectSame, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("concat", () => {
  it("joins along any axis, of any width", async () => {
    for (const dtype of ["f32", "f16", "i8"] as const) {
      await expectSame(gpu.device, () => [
        w.concat([x([2, 3], dtype), x([5, 3], dtype, 2)]),
        w.concat([x([2, 3], dtype), x([2, 4], dtype, 2), x([2, 1], dtype, 3)], 1),
        w.concat([x([3, 1, 5], dtype), x([3, 2, 5], dtype)], 1),
      ]);
    }
  });
  it("joins more parts than one dispatch may bind", async () => {
    const parts = Array.from({ length: 29 }, (_, i) => x([3, 1 + (i % 3)], "bf16", i + 1));
    await expectSame(gpu.device, () => w.concat(parts, 1));
  });
});
