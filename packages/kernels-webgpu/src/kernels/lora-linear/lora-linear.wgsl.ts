import { type CompositeCall, isFloat, type Operand, promote, sizeOf } from "@weft/tensor-core";
import type { CompositeKernel } from "../kernel.js";
import { reshaped } from "../views.js";
import { lowerProduct } from "../matmul/product.js";
import { matrix } from "../matmul/source.js";

/** Claimed where the sum in f32 with one rounding is at least as exact as the decomposition's roundings in between. */
function claims({ inputs, outputs }: CompositeCall): boolean {
  const [x, , a, b] = inputs;
  if (!inputs.every((i) => isFloat(i.dtype))) return false;
  const wide = a!.dtype === "f32" && promote(a!.dtype, b!.dtype) === "f32";
  return wide || (outputs[0]!.dtype !== "f32" && a!.dtype === x!.dtype);
}

/**
 * `loraLinear`: x·Wᵀ + (s·x·Aᵀ)·Bᵀ + bias as one product whose inner dimension goes on from W into B: the output is written
 * once and no f32 intermediate as large as it exists. x·Aᵀ [rows, r] comes first, in f32.
 */
export const loraLinear: CompositeKernel = {
  claims,
  lower({ inputs, outputs, attrs }, context) {
    const [x, w, a, b, bias] = inputs as [Operand, Operand, Operand, Operand, Operand | undefined];
    const [n, k, r] = [w.shape[0]!, w.shape[1]!, a.shape[0]!];
    const m = sizeOf(x.shape) / k;
    const rows = matrix(reshaped(x, [m, k]), 0, 1);
    const low = context.temporary([m, r], "f32");
    const first = lowerProduct(
      { name: "loraLinear down", batch: [], m, n: r, terms: [{ a: rows, b: matrix(a, 0, 1), k }], output: low },
      context,
    );
    const terms = [
      { a: rows, b: matrix(w, 0, 1), k },
      { a: matrix(low, 0, 1, attrs.scale as number), b: matrix(b, 0, 1), k: r },
    ];
    const product = { name: "loraLinear", batch: [], m, n, terms, output: outputs[0]! };
    if (!bias) return [...first, ...lowerProduct(product, context)];
    const withBias = lowerProduct(
      {
        ...product,
        epilogue: (shader) => {
          const [ref, offset] = [shader.input(bias), shader.u32(bias.offset)];
          return (value, _batch, _row, column) => `${value} + ${ref.load(`${offset} + ${column}`)}`;
        },
      },
      context,
    );
    return [...first, ...withBias];
  },
};
