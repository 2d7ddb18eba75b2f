import type { Operand } from "@weft/tensor-core";
import { addressOf, type CompositeStep, formatCode, type LowerContext, type Run } from "../../lower/context.js";

/** W' = round(W + round(s·B·A)) in one pass over W. @see merge.wasm.ts */
export function lowerMerge({ attrs, inputs, outputs }: CompositeStep, context: LowerContext): Run {
  const [weight, a, b] = inputs as [Operand, Operand, Operand];
  const [output] = outputs as [Operand];
  const [rows, columns] = weight.shape as [number, number];
  const r = a.shape[0]!;
  const { pool } = context;
  // Δ = L·R: L is B and R is A, or, for weights stored [in, out], L is Aᵀ and R is Bᵀ.
  const transposed = attrs.transposed as boolean;
  const [left, right] = transposed ? [a, b] : [b, a];
  const [rowStride, kLeft] = transposed ? [1, a.shape[1]!] : [r, 1];
  const [kRight, columnStride] = transposed ? [1, r] : [a.shape[1]!, 1];

  const strips = Math.ceil(columns / 8);
  const packed = context.temporary([strips * r * 32], "u8");
  const pack = context.args("packRight", {
    b: 0,
    kStride: kRight,
    columnStride,
    format: formatCode(right.dtype)!,
    packed: 0,
    k: r,
    n: columns,
  });
  // Products of two 16-bit floats are exact in f32, and a hardware multiply-add is fused: else the chain is emulated exactly.
  const exact = context.arithmetic.fused || (a.dtype !== "f32" && b.dtype !== "f32");
  const args = context.args("merge", {
    w: 0,
    ldw: columns,
    formatW: formatCode(weight.dtype)!,
    out: 0,
    ldo: columns,
    formatOut: formatCode(output.dtype)!,
    rows,
    columns,
    r,
    l: 0,
    formatL: formatCode(left.dtype)!,
    rowStride,
    kStride: kLeft,
    packed: 0,
    scale: attrs.scale as number,
    rounding: formatCode(attrs.deltaDtype as never)!,
    chained: exact ? 0 : 1,
    statistics: 0,
  });
  const small = rows * columns * r < 64 ** 3;
  return (addresses) => {
    pack.set("b", addressOf(right, addresses));
    pack.set("packed", addressOf(packed, addresses));
    pool.run(pack, strips, small);
    args.set("w", addressOf(weight, addresses));
    args.set("out", addressOf(output, addresses));
    args.set("l", addressOf(left, addresses));
    args.set("packed", addressOf(packed, addresses));
    pool.run(args, Math.ceil(rows / 4), small);
  };
}
