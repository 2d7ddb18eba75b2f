import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, openTestDevice, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-5, absolute: 1e-5 };

const call = (b: number, h: number, g: number, t: number, s: number, d: number, options: w.AttentionOptions = {}): w.Tensor =>
  w.attention(x([b, h, t, d]), x([b, g, s, d], "f32", 2), x([b, g, s, d], "f32", 3), options);

describe("attention", () => {
  it("is one kernel, and its decomposition where heads are too wide for it", async () => {
    expect(await kernelsOf(gpu, call(1, 2, 2, 8, 8, 16))).toEqual(["attention 32x16"]);
    expect((await kernelsOf(gpu, call(1, 1, 1, 2, 2, 300))).some((k) => k.startsWith("attention"))).toBe(false);
  });
  it("fits the memory that every GPU has", async () => {
    const small = await openTestDevice({ defaultLimits: true });
    expect(await kernelsOf(small, call(1, 2, 2, 8, 8, 128))).toEqual(["attention 8x16"]);
    await expectSame(small.device, () => call(1, 2, 2, 9, 20, 128, { causal: true }), close);
    small.device.dispose();
  });
});
