import type { CompositeCall, Operand } from "@weft/tensor-core";
import { addressOf, type CompositeStep, formatCode, type LowerContext, type Run } from "../../lower/context.js";

/** The composite `mergeLowRank` has a kernel where everything is stored as f32, bf16 or f16. */
export function claimsMerge({ attrs, inputs }: CompositeCall): boolean {
  const dtypes = [...inputs.map((i) => i.dtype), attrs.dtype, attrs.deltaDtype] as const;
  return dtypes.every((d) => formatCode(d as never) !== undefined) && inputs[0]!.shape.length === 2;
}

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
    strips,
    table: context.words([0, 0, 0]),
  });
  // The kernel takes L as f32; factors are small, so widening them costs little.
  const wide = left.dtype === "f32" ? undefined : context.temporary(left.shape, "f32");
  // Products of two 16-bit floats are exact in f32, and a hardware multiply-add is fused: else the chain is emulated exactly.
  const exact = context.fusedProducts || (a.dtype !== "f32" && b.dtype !== "f32");
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
    if (wide) widen(context, left, addressOf(left, addresses), addressOf(wide, addresses));
    args.set("w", addressOf(weight, addresses));
    args.set("out", addressOf(output, addresses));
    args.set("l", addressOf(wide ?? left, addresses));
    args.set("packed", addressOf(packed, addresses));
    pool.run(args, Math.ceil(rows / 4), small);
  };
}

/** 16-bit floats as f32. bf16 is the upper half of f32; f16 is rebased by a product, exact for subnormals too. */
function widen({ memory }: LowerContext, { dtype, shape }: Operand, from: number, to: number): void {
  const count = shape[0]! * shape[1]!;
  const source = new Uint16Array(memory.memory.buffer, from, count);
  const bits = memory.words.subarray(to >>> 2, (to >>> 2) + count);
  if (dtype === "bf16") {
    for (let i = 0; i < count; i++) bits[i] = source[i]! << 16;
    return;
  }
  const floats = memory.floats.subarray(to >>> 2, (to >>> 2) + count);
  for (let i = 0; i < count; i++) {
    const h = source[i]!;
    bits[i] = (h & 0x7fff) << 13;
    floats[i] = floats[i]! * 2 ** 112;
    if ((h & 0x7c00) === 0x7c00) bits[i] = 0x7f800000 | ((h & 0x3ff) << 13);
    bits[i]! |= (h & 0x8000) << 16;
  }
}
