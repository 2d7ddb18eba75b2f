import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-5, absolute: 5e-5 };

interface Sizes {
  readonly n: number;
  readonly k: number;
  readonly out: number;
  readonly r: number;
}

/** The gradients of x, A, B and, if it is asked for, of W and the bias, for some dy. */
function gradients({ n, k, out, r }: Sizes, dtype: w.DType = "f32", adapter: w.DType = dtype, base = false): w.Tensor[] {
  const [weight, bias] = [x([out, k], dtype, 2), x([out], dtype, 5)];
  const [input, a, b] = [x([n, k], dtype), x([r, k], adapter, 3), x([out, r], adapter, 4)];
  const y = w.loraLinear(input, weight, a, b, 0.5, bias);
  return w.vjp([y], [x([n, out], dtype, 6)], [input, a, b, ...(base ? [weight, bias] : [])]);
}

describe("loraLinearBackward and loraFactorGradients", () => {
  it.each<Sizes>([
    { n: 33, k: 40, out: 35, r: 4 },
    { n: 1, k: 64, out: 65, r: 8 },
    { n: 3, k: 17, out: 5, r: 1 },
    { n: 65, k: 30, out: 9, r: 16 },
    { n: 700, k: 12, out: 9, r: 6 },
  ])("equal their decompositions: %o", async (sizes) => {
    await expectSame(gpu.device, () => gradients(sizes, "f32", "f32", true), close);
  });
  it("take leading axes, and no rows at all", async () => {
    const call = (batch: number[]): w.Tensor[] => {
      const inputs = [x([...batch, 8]), x([2, 8], "f32", 2), x([6, 2], "f32", 3)] as const;
      return w.vjp([w.loraLinear(inputs[0], x([6, 8], "f32", 4), inputs[1], inputs[2], 2)], [x([...batch, 6], "f32", 5)], inputs);
    };
    await expectSame(gpu.device, () => call([2, 3]), close);
    await expectSame(gpu.device, () => call([0]), close);
  });
  it.each([
    ["bf16", "bf16"],
    ["bf16", "f32"],
    ["f16", "f16"],
    ["f32", "bf16"],
  ] as const)("round results once: base in %s, adapter in %s", async (dtype, adapter) => {
    const coarse = Math.max(ulp(dtype), ulp(adapter));
    await expectSame(gpu.device, () => gradients({ n: 9, k: 32, out: 10, r: 4 }, dtype, adapter), {
      relative: 4 * coarse,
      absolute: 16 * coarse,
    });
  });
  it("are six kernels, and hold nothing as large as dx, where the decompositions are ten", async () => {
    const total = (size: number): w.Tensor =>
      gradients({ n: size, k: size, out: size, r: 4 })
        .map((g) => w.sum(g))
        .reduce((a, b) => w.add(a, b));
    const lora = (names: readonly string[]): number => names.filter((name) => /lora|matmul/.test(name)).length;
    expect(lora(await kernelsOf(gpu, total(40)))).toBe(6);
    const scratch = (claims: boolean): number => w.planGraph([total(256)], [], (c) => claims && gpu.backend.claims(c)).plan.scratchBytes;
    const dx = 256 * 256 * 4;
    expect(scratch(true)).toBeLessThan(1.2 * dx);
    expect(scratch(false)).toBeGreaterThan(1.9 * dx);
  });
  it("compute no dx where nobody needs it", async () => {
    const [, a] = gradients({ n: 40, k: 40, out: 40, r: 4 });
    expect((await kernelsOf(gpu, a!)).some((name) => name.startsWith("loraLinearBackward"))).toBe(false);
  });
});
