import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

/** The gradients of x, A and B of a square layer with as many rows, for some dy. */
function gradients(n: number): w.Tensor[] {
  const [input, a, b] = [x([n, n]), x([4, n], "f32", 3), x([n, 4], "f32", 4)];
  return w.vjp([w.loraLinear(input, x([n, n], "f32", 2), a, b, 0.5)], [x([n, n], "f32", 6)], [input, a, b]);
}

describe("loraLinearBackward and loraFactorGradients", () => {
  it("are six kernels, and hold nothing as large as dx, where the decompositions are ten", async () => {
    const total = (size: number): w.Tensor =>
      gradients(size)
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
    const [, a] = gradients(40);
    expect((await kernelsOf(gpu, a!)).some((name) => name.startsWith("loraLinearBackward"))).toBe(false);
  });
});
