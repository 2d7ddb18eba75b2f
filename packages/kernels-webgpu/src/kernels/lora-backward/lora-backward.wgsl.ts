import { isFloat, type Operand } from "@weft/tensor-core";
import type { CompositeKernel, Dispatch, LowerContext } from "../kernel.js";
import { lowerProduct } from "../matmul/product.js";
import { matrix } from "../matmul/source.js";

/** Sums in f32 with one rounding are at least as exact as the decomposition. */
const claims: CompositeKernel["claims"] = ({ inputs }) => inputs.every((i) => isFloat(i.dtype));

/** dy·B [n, r] in f32. */
function throughB(name: string, dy: Operand, b: Operand, low: Operand, context: LowerContext): Dispatch[] {
  const [n, out] = dy.shape as [number, number];
  const terms = [{ a: matrix(dy, 0, 1), b: matrix(b, 1, 0), k: out }];
  return lowerProduct({ name, batch: [], m: n, n: b.shape[1]!, terms, output: low }, context);
}

/**
 * `loraLinearBackward`: dy·W + (s·dy·B)·A as one product whose inner dimension goes on from W into A; two kernels and a temporary
 * [n, r], where the decomposition takes four and two temporaries as large as dx.
 */
export const loraLinearBackward: CompositeKernel = {
  claims,
  lower({ inputs, outputs, attrs }, context) {
    const [dy, w, a, b] = inputs as [Operand, Operand, Operand, Operand];
    const [out, features] = w.shape as [number, number];
    const [n, r] = [dy.shape[0]!, a.shape[0]!];
    const low = context.temporary([n, r], "f32");
    const terms = [
      { a: matrix(dy, 0, 1), b: matrix(w, 1, 0), k: out },
      { a: matrix(low, 0, 1, attrs.scale as number), b: matrix(a, 1, 0), k: r },
    ];
    return [
      ...throughB("loraLinearBackward down", dy, b, low, context),
      ...lowerProduct({ name: "loraLinearBackward", batch: [], m: n, n: features, terms, output: outputs[0]! }, context),
    ];
  },
};

/**
 * `loraFactorGradients`: four products, each side by way of [n, r], with the scale inside; the decomposition scales dA and dB in two
 * more.
 */
export const loraFactorGradients: CompositeKernel = {
  claims,
  lower({ inputs, outputs, attrs }, context) {
    const [dy, x, a, b] = inputs as [Operand, Operand, Operand, Operand];
    const [da, db] = outputs as [Operand, Operand];
    const [n, r, features, out] = [x.shape[0]!, a.shape[0]!, a.shape[1]!, b.shape[0]!];
    const scale = attrs.scale as number;
    const [fromDy, fromX] = [context.temporary([n, r], "f32"), context.temporary([n, r], "f32")];
    const toX = [{ a: matrix(x, 0, 1), b: matrix(a, 0, 1), k: features }];
    const toA = [{ a: matrix(fromDy, 1, 0, scale), b: matrix(x, 1, 0), k: n }];
    const toB = [{ a: matrix(dy, 1, 0), b: matrix(fromX, 1, 0, scale), k: n }];
    return [
      ...throughB("loraFactorGradients dy·B", dy, b, fromDy, context),
      ...lowerProduct({ name: "loraFactorGradients x·Aᵀ", batch: [], m: n, n: r, terms: toX, output: fromX }, context),
      ...lowerProduct({ name: "loraFactorGradients dA", batch: [], m: r, n: features, terms: toA, output: da }, context),
      ...lowerProduct({ name: "loraFactorGradients dB", batch: [], m: out, n: r, terms: toB, output: db }, context),
    ];
  },
};
