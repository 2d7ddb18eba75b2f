import * as w from "@weft/tensor-core";
import { describe, it } from "vitest";
import { expectSame, sample, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("cumsum", () => {
  it.each([1, 5, 64, 65, 200])("adds up lines of %i, from both ends", async (n) => {
    await expectSame(
      gpu.device,
      () => [w.cumsum(x([3, n])), w.cumsum(x([n, 3]), 0, true), w.cumsum(x([2, n, 2], "i32"), 1), w.cumsum(x([3, n], "i32"), 1, true)],
      { relative: 1e-5, absolute: 1e-5 },
    );
  });
  it("stores bf16", async () => {
    await expectSame(gpu.device, () => w.cumsum(x([3, 7], "bf16")), { relative: ulp("bf16"), absolute: 1e-5 });
  });
});
