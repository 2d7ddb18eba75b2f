import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

const call = (adapter: w.DType): w.Tensor => w.loraLinear(x([33, 40]), x([35, 40]), x([4, 40], adapter), x([35, 4], adapter), 0.5, x([35]));

describe("loraLinear", () => {
  it("runs as two kernels when claimed, as its decomposition where roundings in between matter", async () => {
    expect(await kernelsOf(gpu, call("f32"))).toEqual(["loraLinear down vector", "loraLinear 32x32"]);
    expect((await kernelsOf(gpu, call("bf16"))).some((k) => k.startsWith("loraLinear"))).toBe(false);
  });
});
