import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, openTestDevice, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-5, absolute: 1e-5 };

const call = (
  b: number,
  h: number,
  g: number,
  t: number,
  s: number,
  d: number,
  options: w.AttentionOptions = {},
  dtype: w.DType = "f32",
): w.Tensor => w.attention(x([b, h, t, d], dtype), x([b, g, s, d], dtype, 2), x([b, g, s, d], dtype, 3), options);

describe("attention", () => {
  it.each([
    [1, 1, 1, 1, 1, 4],
    [2, 4, 2, 5, 33, 8],
    [1, 2, 2, 40, 40, 16],
    [1, 6, 2, 1, 50, 7],
    [1, 2, 1, 9, 17, 65],
  ])("B %i, H %i, G %i, T %i, S %i, d %i: plain and causal", async (...shape) => {
    await expectSame(gpu.device, () => [call(...shape), call(...shape, { causal: true, scale: 0.3 })], close);
  });
  it("takes masks that broadcast", async () => {
    const masks = [
      [7, 19],
      [2, 1, 7, 19],
      [1, 1, 1, 19],
    ].map((s, i) => w.less(x(s, "f32", i + 7), 0.2));
    await expectSame(
      gpu.device,
      () => masks.flatMap((mask) => [true, false].map((causal) => call(2, 4, 2, 7, 19, 8, { mask, causal }))),
      close,
    );
  });
  it("treats rows that see nothing as the decomposition", async () => {
    const mask = w.cast(
      w.tensor([
        [1, 0, 1],
        [0, 0, 0],
      ]),
      "bool",
    );
    await expectSame(gpu.device, () => [call(1, 1, 1, 5, 3, 4, { causal: true }), call(1, 1, 1, 2, 3, 4, { mask })], close);
  });
  it("takes values of another width", async () => {
    await expectSame(gpu.device, () => w.attention(x([1, 2, 6, 8]), x([1, 2, 9, 8]), x([1, 2, 9, 5])), close);
    await expectSame(gpu.device, () => w.attention(x([1, 2, 6, 4]), x([1, 2, 9, 4]), x([1, 2, 9, 40])), close);
  });
  it.each(["bf16", "f16"] as const)("rounds to %s", async (dtype) => {
    await expectSame(gpu.device, () => [call(1, 4, 2, 9, 21, 8, { causal: true }, dtype), call(1, 2, 2, 3, 5, 7, {}, dtype)], {
      relative: 2 * ulp(dtype),
      absolute: 2 * ulp(dtype),
    });
  });
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
  it("gives the gradients of the reference", async () => {
    const inputs = [x([1, 2, 5, 4]), x([1, 1, 6, 4], "f32", 2), x([1, 1, 6, 4], "f32", 3)] as const;
    await expectSame(gpu.device, () => w.gradients(w.sum(w.square(w.attention(...inputs, { causal: true }))), inputs), close);
  });
});
