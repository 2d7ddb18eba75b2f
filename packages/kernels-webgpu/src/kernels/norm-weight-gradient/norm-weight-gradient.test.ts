import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

/** dx, dw and, for layerNorm, db for some dy. */
function gradients(kind: "rmsNorm" | "layerNorm", shape: number[]): w.Tensor[] {
  const n = shape.at(-1)!;
  const [input, weight, bias, dy] = [x(shape), x([n], "f32", 2), x([n], "f32", 3), x(shape, "f32", 4)];
  return kind === "rmsNorm"
    ? w.vjp([w.rmsNorm(input, weight, 1e-5)], [dy], [input, weight])
    : w.vjp([w.layerNorm(input, weight, bias, 1e-5)], [dy], [input, weight, bias]);
}

describe.each(["rmsNorm", "layerNorm"] as const)("the gradient of %s", (kind) => {
  it("is one kernel for dx, and for dw one or two more without a product as large as x", async () => {
    const [rows, n] = [256, 128];
    expect(await kernelsOf(gpu, gradients(kind, [rows, n])[0]!)).toHaveLength(1);
    expect((await kernelsOf(gpu, gradients(kind, [32, n])[1]!)).map((k) => k.split("(")[0])).toEqual(["row", "normWeightGradient"]);
    const all = (claims: boolean): w.Plan => w.planGraph(gradients(kind, [rows, n]), [], (c) => claims && gpu.backend.claims(c)).plan;
    expect(all(false).scratchBytes).toBeGreaterThanOrEqual(4 * rows * n);
    expect(all(true).scratchBytes).toBeLessThan((4 * rows * n) / 8);
  });
  it("leaves out dw where nobody needs it", async () => {
    expect((await kernelsOf(gpu, gradients(kind, [9, 40])[0]!)).some((k) => k.startsWith("normWeight"))).toBe(false);
  });
});
