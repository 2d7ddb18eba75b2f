import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

describe("gather", () => {
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
