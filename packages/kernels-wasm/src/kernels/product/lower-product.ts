import { isContiguous, type Operand, type Step } from "@weft/tensor-core";
import { addressOf, formatCode, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy, lowerFill } from "../../lower/fused.js";
import { sequence } from "../../lower/steps.js";

/** Rows up to which a product is bound by reading the weight once, so that packing it would not pay. */
const GEMV_ROWS = 4;
/** Multiply-adds below which waking other threads costs more than it gives. */
const SMALL: number = 64 ** 3;

/** Byte offsets of each matrix of a batch. */
function batchOffsets(operand: Operand, elementBytes: number): number[] {
  const lead = operand.shape.slice(0, -2);
  const strides = operand.strides.slice(0, -2);
  let offsets = [0];
  lead.forEach((count, axis) => {
    offsets = offsets.flatMap((o) => Array.from({ length: count }, (_, i) => o + i * strides[axis]! * elementBytes));
  });
  return offsets;
}

const bytesOf = (operand: Operand): number => (operand.dtype === "f32" ? 4 : 2);
/** Strides of the last two axes, 1 where the axis has one element. */
const lastStrides = ({ strides, shape }: Operand): [number, number] => [
  shape.at(-2) === 1 ? 1 : strides.at(-2)!,
  shape.at(-1) === 1 ? 1 : strides.at(-1)!,
];

/** A matrix product of any floats and strides: what the kernels do not read or write directly goes through f32 copies. */
export function lowerMatmul(step: Step, context: LowerContext): Run {
  const before: Run[] = [];
  const readable = (x: Operand): Operand => {
    if (formatCode(x.dtype) !== undefined && x.strides.every((s) => s >= 0)) return x;
    const wide = context.temporary(x.shape, "f32");
    before.push(lowerCopy(x, wide, context));
    return wide;
  };
  const [a, b] = step.inputs.map(readable) as [Operand, Operand];
  const [output] = step.outputs as [Operand];
  const c = output.dtype === "f32" && isContiguous(output.shape, output.strides) ? output : context.temporary(output.shape, "f32");
  const runs = [...before, lowerProduct(a, b, c, context)];
  if (c !== output) runs.push(lowerCopy(c, output, context));
  return sequence(runs);
}

export interface ProductOptions {
  readonly alpha?: number;
  /** Adds to C instead of writing it. */
  readonly accumulate?: boolean;
}

/** C (f32, contiguous rows) = α·A·B, or += with `accumulate`; A and B are f32, bf16 or f16 with strides ≥ 0. */
export function lowerProduct(
  a: Operand,
  b: Operand,
  c: Operand,
  context: LowerContext,
  { alpha = 1, accumulate = false }: ProductOptions = {},
): Run {
  const [codeA, codeB] = [formatCode(a.dtype)!, formatCode(b.dtype)!];
  const [m, n] = c.shape.slice(-2) as [number, number];
  const k = a.shape.at(-1)!;
  if (c.shape.includes(0)) return () => undefined;
  if (k === 0) return accumulate ? () => undefined : lowerFill(0, c, context);
  const ldc = m === 1 ? n : c.strides.at(-2)!;
  const [aRow, aK] = lastStrides(a);
  const [bK, bColumn] = lastStrides(b);
  const offsets = [batchOffsets(a, bytesOf(a)), batchOffsets(b, bytesOf(b)), batchOffsets(c, 4)] as const;
  const batch = offsets[0].length;
  const { pool } = context;

  const rowsOfA = codeA === 0 && aK === 1;
  if (batch === 1 && m <= GEMV_ROWS && rowsOfA && (bK === 1 || (bColumn === 1 && codeB === 0))) {
    const dot = bK === 1;
    const kernel = dot ? "gemvDot" : "gemvAxpy";
    const args = context.args(kernel, {
      x: 0,
      ldx: aRow,
      w: 0,
      y: 0,
      m,
      k,
      n,
      ldy: ldc,
      ldw: dot ? bColumn : bK,
      alpha,
      accumulate: accumulate ? 1 : 0,
      format: codeB,
    });
    const items = dot ? Math.ceil(n / 4) : Math.ceil(n / 256);
    return (addresses) => {
      args.set("x", addressOf(a, addresses));
      args.set("w", addressOf(b, addresses));
      args.set("y", addressOf(c, addresses));
      pool.run(args, items, m * n * k < SMALL);
    };
  }

  const strips = Math.ceil(n / 8);
  // A weight that the whole batch shares is packed once.
  const shared = batch > 1 && offsets[1].every((o) => o === 0);
  const packedBytes = strips * k * 32;
  const packed = context.temporary([packedBytes * (shared ? 1 : batch)], "u8");
  const table = context.words(Array.from({ length: batch }, (_, i) => [offsets[0][i]!, offsets[1][i]!, offsets[2][i]!]).flat());
  const pack = context.args("packRight", { b: 0, kStride: bK, columnStride: bColumn, format: codeB, packed: 0, k, n, strips, table });
  const args = context.args("gemm", {
    a: 0,
    rowStride: aRow,
    kStride: aK,
    format: codeA,
    packed: 0,
    c: 0,
    ldc,
    m,
    n,
    k,
    alpha,
    accumulate: accumulate ? 1 : 0,
    table,
    packedBytes: shared ? 0 : packedBytes,
  });
  const items = batch * Math.ceil(m / 64) * Math.ceil(n / 512);
  return (addresses) => {
    pack.set("b", addressOf(b, addresses));
    pack.set("packed", addressOf(packed, addresses));
    pool.run(pack, strips * (shared ? 1 : batch), m * n * k < SMALL);
    args.set("a", addressOf(a, addresses));
    args.set("packed", addressOf(packed, addresses));
    args.set("c", addressOf(c, addresses));
    pool.run(args, items, batch * m * n * k < SMALL);
  };
}
