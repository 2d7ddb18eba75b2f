import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const call = (out: number, columns: number, r: number, dtype: w.DType = "f32"): w.Tensor =>
  w.weightNorm(x([out, columns], dtype), x([r, columns], "f32", 2), x([out, r], "f32", 3), 0.5);

describe("weightNorm", () => {
  it.each([
    [5, 7, 2],
    [33, 300, 4],
    [1, 130, 1],
    [17, 64, 200],
  ])("of [%i, %i] with rank %i in one kernel", async (out, columns, r) => {
    await expectSame(gpu.device, () => call(out, columns, r), { relative: 1e-5, absolute: 1e-6 });
    expect(await kernelsOf(gpu, call(out, columns, r))).toEqual(["weightNorm"]);
  });
  it("reads packed weights exactly", async () => {
    await expectSame(gpu.device, () => [call(9, 41, 3, "bf16"), call(20, 33, 2, "f16")], { relative: 1e-5, absolute: 1e-6 });
  });
  it("of ranks that workgroup memory does not hold runs as its decomposition", async () => {
    expect(await kernelsOf(gpu, call(3, 5, 257))).not.toContain("weightNorm");
    await expectSame(gpu.device, () => call(3, 5, 257), { relative: 1e-5, absolute: 1e-5 });
  });
});
