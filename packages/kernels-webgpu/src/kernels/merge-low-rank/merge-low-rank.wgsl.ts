import { type DType, isFloat, type Operand } from "@weft/tensor-core";
import { roundTo } from "../../wgsl/storage.js";
import type { CompositeKernel } from "../kernel.js";
import { lowerProduct } from "../matmul/product.js";
import { matrix } from "../matmul/source.js";

/** `mergeLowRank`: W + s·B·A in one pass over W; Δ lives in registers, where it is rounded as the decomposition rounds it. */
export const mergeLowRank: CompositeKernel = {
  claims: ({ inputs, attrs }) => inputs.every((i) => isFloat(i.dtype)) && isFloat(attrs.dtype as DType),
  lower({ inputs, outputs, attrs }, context) {
    const [w, a, b] = inputs as [Operand, Operand, Operand];
    const [m, n] = w.shape as [number, number];
    const [left, right] = attrs.transposed ? [matrix(a, 1, 0), matrix(b, 0, 1)] : [matrix(b, 0, 1), matrix(a, 1, 0)];
    return lowerProduct(
      {
        name: "mergeLowRank",
        batch: [],
        m,
        n,
        terms: [{ a: left, b: right, k: a.shape[0]! }],
        output: outputs[0]!,
        epilogue: (shader) => {
          const weight = shader.input(w);
          const [offset, columns, scale] = [shader.u32(w.offset), shader.u32(n), shader.f32(attrs.scale as number)];
          return (value, _batch, row, column) =>
            `${weight.load(`${offset} + ${row} * ${columns} + ${column}`)} + ${roundTo(attrs.deltaDtype as DType, `(${value} * ${scale})`)}`;
        },
      },
      context,
    );
  },
};
