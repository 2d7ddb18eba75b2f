import { isContiguous, type Operand, type Step } from "@weft/tensor-core";
import { addressOf, formatCode, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy, lowerFill } from "../../lower/fused.js";
import type { FusedKernel } from "../../threads/pool.js";
import { sequence } from "../../lower/steps.js";

/** Lines up to which a product is done line by line of the other operand, as it lies: packing that would not pay. */
const FEW = 16;
/** Rows of W of an item of `gemvDot`. */
const DOT_ROWS = 4;
/** Columns of an item of `gemvAxpy`, whose part of Y stays in the L1 cache. */
const AXPY_COLUMNS = 512;
/** Rows of an item of `gemm`; its columns are a multiple of the other. */
const [GEMM_ROWS, GEMM_COLUMNS] = [128, 64];
/** Whether waking other threads costs more than it gives. */
export const isSmallProduct = (multiplyAdds: number): boolean => multiplyAdds < 64 ** 3;

/** A matrix that is computed where it is read, in parts of rows. */
export interface Decoder {
  readonly kernel: FusedKernel;
  /** Address of its arguments. */
  readonly args: number;
  /** To be run before it is read: tells it where its inputs lie. */
  readonly bind: Run;
}

/** An operand as lines: the rows of A, the columns of B. Strides count elements. */
export interface Lines {
  readonly address: (addresses: Int32Array) => number;
  /** What computes its elements, if it is packed. */
  readonly decoder?: Decoder;
  /** Number of the format, or the address of the decoder's arguments. */
  readonly format: number;
  readonly count: number;
  /** Elements of a line. */
  readonly depth: number;
  /** Stride from one line to the next, and along a line. */
  readonly line: number;
  readonly k: number;
  /** Byte offset of each matrix of the batch. */
  readonly offsets: readonly number[];
}

function batchOffsets({ shape, strides }: Operand, elementBytes: number): number[] {
  let offsets = [0];
  shape.slice(0, -2).forEach((count, axis) => {
    offsets = offsets.flatMap((o) => Array.from({ length: count }, (_, i) => o + i * strides[axis]! * elementBytes));
  });
  return offsets;
}

/** The lines along the other of the last two axes than `axis`, which counts them. */
export function linesOf(place: Operand, axis: -2 | -1): Lines {
  const format = formatCode(place.dtype)!;
  // An axis of one element may have any stride.
  const stride = (at: -2 | -1): number => (place.shape.at(at) === 1 ? 1 : place.strides.at(at)!);
  const along = axis === -2 ? -1 : -2;
  return {
    address: (addresses) => addressOf(place, addresses),
    format,
    count: place.shape.at(axis)!,
    depth: place.shape.at(along)!,
    line: stride(axis),
    k: stride(along),
    offsets: batchOffsets(place, format === 0 ? 4 : 2),
  };
}

/** A factor that the kernels read directly: itself, or an f32 copy, made by a run that is added to `before`. */
export function readable(x: Operand, context: LowerContext, before: Run[]): Operand {
  if (formatCode(x.dtype) !== undefined && x.strides.every((s) => s >= 0)) return x;
  const wide = context.temporary(x.shape, "f32");
  before.push(lowerCopy(x, wide, context));
  return wide;
}

/** A product into an output of any dtype and strides. @param write the product into an f32 result with contiguous rows */
export function intoOutput(output: Operand, context: LowerContext, before: readonly Run[], write: (c: Operand) => Run): Run {
  const c = output.dtype === "f32" && isContiguous(output.shape, output.strides) ? output : context.temporary(output.shape, "f32");
  const runs = [...before, write(c)];
  if (c !== output) runs.push(lowerCopy(c, output, context));
  return sequence(runs);
}

/** A matrix product of any floats and strides: what the kernels do not read or write directly goes through f32 copies. */
export function lowerMatmul(step: Step, context: LowerContext): Run {
  const before: Run[] = [];
  const [a, b] = step.inputs.map((x) => readable(x, context, before)) as [Operand, Operand];
  return intoOutput(step.outputs[0]!, context, before, (c) => lowerProduct(a, b, c, context));
}

export interface ProductOptions {
  readonly alpha?: number;
  /** Adds to C instead of writing it. */
  readonly accumulate?: boolean;
}

/** C (f32, contiguous rows) = α·A·B, or += with `accumulate`; A and B are f32, bf16 or f16 with strides ≥ 0. */
export function lowerProduct(a: Operand, b: Operand, c: Operand, context: LowerContext, options: ProductOptions = {}): Run {
  if (c.shape.includes(0)) return () => undefined;
  if (a.shape.at(-1) === 0) return options.accumulate ? () => undefined : lowerFill(0, c, context);
  return lowerLines(linesOf(a, -2), linesOf(b, -1), c, context, options);
}

/** The product of rows of A and columns of B, of which B may be packed; neither is empty. */
export function lowerLines(left: Lines, right: Lines, c: Operand, context: LowerContext, options: ProductOptions = {}): Run {
  const ldc = c.shape.at(-2) === 1 ? c.shape.at(-1)! : c.strides.at(-2)!;
  if (context.arithmetic.rowIndependent) return gemm(left, right, c, ldc, context, options);
  if (!right.decoder && right.count <= FEW && right.count < left.count && left.k === 1)
    return gemv(right, left, c, [1, ldc], context, options);
  const axpy = right.line === 1 && right.count >= 4;
  if (left.count <= FEW && (right.k === 1 || axpy)) return gemv(left, right, c, [ldc, 1], context, options);
  return gemm(left, right, c, ldc, context, options);
}

/** What the kernels have in common, for a batch of matrices. */
function shared(x: Lines, w: Lines, c: Operand, context: LowerContext, { alpha = 1, accumulate = false }: ProductOptions) {
  const offsets = batchOffsets(c, 4);
  const table = context.words(offsets.flatMap((o, i) => [x.offsets[i]!, w.offsets[i]!, o]));
  const common = { k: x.depth, alpha, accumulate: accumulate ? 1 : 0, table };
  return { batch: offsets.length, small: isSmallProduct(offsets.length * x.count * w.count * x.depth), common };
}

/** Few lines of X with all of W, of which each element is read once; `yRow` and `yColumn` are the strides of the result. */
function gemv(
  x: Lines,
  w: Lines,
  y: Operand,
  [yRow, yColumn]: readonly [number, number],
  context: LowerContext,
  options: ProductOptions,
): Run {
  const { batch, small, common } = shared(x, w, y, context, options);
  const dot = w.k === 1;
  const columns = dot ? DOT_ROWS : AXPY_COLUMNS;
  const blocks = Math.ceil(w.count / columns);
  const args = context.args(dot ? "gemvDot" : "gemvAxpy", {
    ...common,
    x: 0,
    xRow: x.line,
    xK: x.k,
    formatX: x.format,
    w: 0,
    ldw: dot ? w.line : w.k,
    formatW: w.format,
    y: 0,
    yRow,
    yColumn,
    m: x.count,
    n: w.count,
    blocks,
    columns,
  });
  return (addresses) => {
    w.decoder?.bind(addresses);
    args.set("x", x.address(addresses));
    args.set("w", w.address(addresses));
    args.set("y", addressOf(y, addresses));
    context.pool.run(args, batch * blocks, small, w.decoder?.kernel);
  };
}

function gemm(a: Lines, b: Lines, c: Operand, ldc: number, context: LowerContext, options: ProductOptions): Run {
  const { batch, small, common } = shared(a, b, c, context, options);
  const { pool } = context;
  const rowBlocks = batch * Math.ceil(a.count / GEMM_ROWS);
  // Each item packs its block of A anew: no more of them than give every thread its share of chunks.
  const wanted = Math.ceil(pool.chunks / rowBlocks);
  const columns = Math.ceil(b.count / wanted / GEMM_COLUMNS) * GEMM_COLUMNS;
  const args = context.args("gemm", {
    ...common,
    a: 0,
    rowStride: a.line,
    kStride: a.k,
    formatA: a.format,
    b: 0,
    bkStride: b.k,
    columnStride: b.line,
    formatB: b.format,
    c: 0,
    ldc,
    m: a.count,
    n: b.count,
    columns,
  });
  return (addresses) => {
    b.decoder?.bind(addresses);
    args.set("a", a.address(addresses));
    args.set("b", b.address(addresses));
    args.set("c", addressOf(c, addresses));
    pool.run(args, rowBlocks * Math.ceil(b.count / columns), small, b.decoder?.kernel);
  };
}
