import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, openTestDevice, sample as x, useTestDevice } from "../../testing/gpu.js";

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
