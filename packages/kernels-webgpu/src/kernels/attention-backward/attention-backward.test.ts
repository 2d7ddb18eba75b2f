import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, openTestDevice, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-4, absolute: 2e-5 };

interface Sizes {
  readonly b: number;
  readonly h: number;
  readonly g: number;
  readonly t: number;
  readonly s: number;
  readonly d: number;
  readonly dv?: number;
}

/** dq, dk, dv for some dy. */
function gradients({ b, h, g, t, s, d, dv = d }: Sizes, options: w.AttentionOptions = {}, dtype: w.DType = "f32"): w.Tensor[] {
  const inputs = [x([b, h, t, d], dtype), x([b, g, s, d], dtype, 2), x([b, g, s, dv], dtype, 3)] as const;
  return w.vjp([w.attention(...inputs, options)], [x([b, h, t, dv], dtype, 4)], inputs);
}

describe("attentionBackward", () => {
  it.each<Sizes>([
    { b: 1, h: 1, g: 1, t: 1, s: 1, d: 4 },
    { b: 2, h: 4, g: 2, t: 5, s: 33, d: 8 },
    { b: 1, h: 2, g: 2, t: 40, s: 40, d: 16 },
    { b: 1, h: 6, g: 2, t: 3, s: 50, d: 7 },
    { b: 1, h: 2, g: 1, t: 9, s: 17, d: 65 },
    { b: 1, h: 2, g: 2, t: 35, s: 6, d: 4, dv: 9 },
  ])("equals its decomposition, plain and causal: %o", async (sizes) => {
    await expectSame(gpu.device, () => [...gradients(sizes), ...gradients(sizes, { causal: true, scale: 0.3 })], close);
  });
  it("takes masks that broadcast, and rows that see nothing", async () => {
    const sizes = { b: 2, h: 4, g: 2, t: 7, s: 19, d: 8 };
    const masks = [
      [7, 19],
      [2, 1, 7, 19],
      [1, 1, 7, 1],
      [1, 1, 1, 19],
    ].map((shape, i) => w.less(x(shape, "f32", i + 7), -0.2));
    await expectSame(
      gpu.device,
      () => masks.flatMap((mask) => [true, false].flatMap((causal) => gradients(sizes, { mask, causal }))),
      close,
    );
  });
  it.each(["bf16", "f16"] as const)("rounds once to %s", async (dtype) => {
    await expectSame(gpu.device, () => gradients({ b: 1, h: 4, g: 2, t: 9, s: 21, d: 8 }, { causal: true }, dtype), {
      relative: 2 * ulp(dtype),
      absolute: 2 * ulp(dtype),
    });
  });
  it("gives zeros for keys without queries, and nothing for queries without keys", async () => {
    await expectSame(gpu.device, () => gradients({ b: 1, h: 2, g: 1, t: 0, s: 3, d: 4 }));
    await expectSame(gpu.device, () => gradients({ b: 1, h: 2, g: 1, t: 3, s: 0, d: 4 }));
  });
  it("is three kernels besides the forward's, and keeps no matrix of scores", async () => {
    const loss = (t: number): w.Tensor => {
      const q = x([1, 2, t, 16]);
      return w.add(
        ...(gradients({ b: 1, h: 2, g: 2, t, s: t, d: 16 }, { causal: true })
          .slice(0, 2)
          .map((g) => w.sum(w.mul(g, q))) as [w.Tensor, w.Tensor]),
      );
    };
    const names = await kernelsOf(gpu, loss(40));
    expect(names.filter((n) => n.startsWith("attention"))).toEqual([
      "attention 32x16",
      "attentionBackward query 32x8",
      "attentionBackward key 32x8",
    ]);
    const scratch = (claims: boolean): number => w.planGraph([loss(256)], [], (c) => claims && gpu.backend.claims(c)).plan.scratchBytes;
    const matrix = 2 * 256 * 256 * 4;
    expect(scratch(true)).toBeLessThan(matrix);
    expect(scratch(false)).toBeGreaterThan(2 * matrix);
  });
  it("fits the memory and the bindings that every GPU has", async () => {
    const small = await openTestDevice({ defaultLimits: true });
    const mask = w.less(x([9, 20], "f32", 5), 0.3);
    await expectSame(small.device, () => gradients({ b: 1, h: 2, g: 1, t: 9, s: 20, d: 128 }, { causal: true, mask }), close);
    await expectSame(small.device, () => gradients({ b: 1, h: 2, g: 1, t: 9, s: 20, d: 64 }, { mask }), close);
    small.device.dispose();
  });
});
