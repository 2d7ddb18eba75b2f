import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("gather", () => {
  it("picks along any axis, of any width", async () => {
    const ids = w.tensor(
      [
        [3, 0, 6],
        [6, 1, 2],
      ],
      { dtype: "i32" },
    );
    for (const dtype of ["f32", "bf16", "u8", "i32"] as const) {
      await expectSame(gpu.device, () => [
        w.gather(x([7, 5], dtype), ids),
        w.gather(x([4, 7, 3], dtype), ids, 1),
        w.gather(x([3, 7], dtype), ids, 1),
        w.embedding(x([7, 4], dtype), w.cast(ids, "u8")),
      ]);
    }
  });
  it("reads 0 where an index leaves the axis", async () => {
    const picked = w.gather(
      gpu.device.tensor([
        [1, 2],
        [3, 4],
      ]),
      w.tensor(Int32Array.of(1, 2, -1)),
    );
    expect([...(await picked.data())]).toEqual([3, 4, 0, 0, 0, 0]);
  });
});
