import type { Operand, Step } from "@weft/tensor-core";
import { addressOf, formatCode, type LowerContext, type Run } from "./context.js";

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
const lastStrides = ({ strides, shape }: Operand): [number, number] => [shape.at(-2) === 1 ? 1 : strides.at(-2)!, shape.at(-1) === 1 ? 1 : strides.at(-1)!];

/**
 * A matrix product on the GEMM or GEMV kernels; undefined for what they do not take (f8 operands, results other than f32, negative strides).
 */
export function lowerMatmul({ inputs, outputs }: Step, context: LowerContext): Run | undefined {
  const [a, b] = inputs as [Operand, Operand];
  const [c] = outputs as [Operand];
  const [codeA, codeB] = [formatCode(a.dtype), formatCode(b.dtype)];
  const [m, n] = c.shape.slice(-2) as [number, number];
  const k = a.shape.at(-1)!;
  if (codeA === undefined || codeB === undefined || c.dtype !== "f32" || m * n * k === 0) return undefined;
  if ([...a.strides, ...b.strides].some((s) => s < 0)) return undefined;
  const [aRow, aK] = lastStrides(a);
  const [bK, bColumn] = lastStrides(b);
  const offsets = [batchOffsets(a, bytesOf(a)), batchOffsets(b, bytesOf(b)), batchOffsets(c, 4)] as const;
  const batch = offsets[0].length;
  const { pool } = context;

  const rowsOfA = codeA === 0 && aK === 1;
  if (batch === 1 && m <= GEMV_ROWS && rowsOfA && (bK === 1 || bColumn === 1)) {
    const dot = bK === 1;
    const args = context.args([0, aRow, 0, 0, m, k, n, n, dot ? bColumn : bK, 1, 0, codeB], [9]);
    const items = dot ? Math.ceil(n / 4) : Math.ceil(n / 256);
    return (addresses) => {
      args.set(0, addressOf(a, addresses));
      args.set(2, addressOf(b, addresses));
      args.set(3, addressOf(c, addresses));
      pool.run(dot ? "gemvDot" : "gemvAxpy", args.address, items, m * n * k < SMALL);
    };
  }

  const strips = Math.ceil(n / 8);
  // A weight that the whole batch shares is packed once.
  const shared = batch > 1 && offsets[1].every((o) => o === 0);
  const packedBytes = strips * k * 32;
  const packed = context.allocate(packedBytes * (shared ? 1 : batch));
  const table = context.words(Array.from({ length: batch }, (_, i) => [offsets[0][i]!, offsets[1][i]!, offsets[2][i]!]).flat());
  const pack = context.args([0, bK, bColumn, codeB, packed, k, n, strips, table]);
  const args = context.args([0, aRow, aK, codeA, packed, 0, n, m, n, k, 1, 0, table, shared ? 0 : packedBytes], [10]);
  const items = batch * Math.ceil(m / 64) * Math.ceil(n / 512);
  return (addresses) => {
    pack.set(0, addressOf(b, addresses));
    pool.run("packRight", pack.address, strips * (shared ? 1 : batch), m * n * k < SMALL);
    args.set(0, addressOf(a, addresses));
    args.set(5, addressOf(c, addresses));
    pool.run("gemm", args.address, items, batch * m * n * k < SMALL);
  };
}
