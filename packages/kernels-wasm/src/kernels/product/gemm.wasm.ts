import { scratch } from "../env.wasm";
import { elementBytes } from "../float.wasm";
import { packBlock } from "./pack-block.wasm";
import { tile } from "./tile.wasm";

/** Depth of a block, rows of the block of A that a thread packs for itself (128 KiB), columns of its panel of B (256 KiB). */
const KC: i32 = 256;
const MC: i32 = 128;
const PANEL: i32 = 256;
/** Depth up to which a panel fits the L1 cache. */
const SHALLOW: i32 = 32;
/** From one strip of 8 columns to the next: not a power of two, so that strips do not compete for the same lines of the cache. */
const STRIP: usize = (KC << 5) + 64;
/** Places in the scratch memory: the panel behind A, and where tiles at the edge are computed. */
const B: usize = MC * KC * 4;
const EDGE: usize = B + (PANEL / 8) * STRIP;

@unmanaged
class GemmArgs {
  a: usize;
  rowStride: i32;
  kStride: i32;
  formatA: i32;
  b: usize;
  /** From one row (k) of B, and from one column, to the next. */
  bkStride: i32;
  columnStride: i32;
  formatB: i32;
  /** f32 */
  c: usize;
  ldc: i32;
  m: i32;
  n: i32;
  k: i32;
  alpha: f32;
  accumulate: i32;
  /** Byte offsets (A, B, C) of each matrix. */
  table: usize;
  /** Columns of an item. */
  columns: i32;
}

/**
 * C = α·A·B (+ C) for a batch of matrices of any strides, f32 accumulation. An item is a block of 128 rows and `columns` columns of one C.
 * A block of A is packed for all columns of the item; B is packed a panel at a time, which all rows of the block use while it is in the cache.
 */
export function gemm(args: GemmArgs, start: i32, end: i32): void {
  const rowBlocks = (args.m + MC - 1) / MC;
  const columnBlocks = (args.n + args.columns - 1) / args.columns;
  const perMatrix = rowBlocks * columnBlocks;
  for (let item = start; item < end; item++) {
    const batch = item / perMatrix;
    const block = item - batch * perMatrix;
    gemmBlock(args, args.table + batch * 12, (block / columnBlocks) * MC, (block % columnBlocks) * args.columns);
  }
}

function gemmBlock(args: GemmArgs, offsets: usize, i0: i32, j0: i32): void {
  const m = min(MC, args.m - i0);
  const n = min(args.columns, args.n - j0);
  const sizeA = elementBytes(args.formatA);
  const sizeB = elementBytes(args.formatB);
  const a = args.a + load<usize>(offsets) + i0 * args.rowStride * sizeA;
  const b = args.b + load<usize>(offsets, 4) + j0 * args.columnStride * sizeB;
  const ldc = <usize>args.ldc << 2;
  const c = args.c + load<usize>(offsets, 8) + i0 * ldc + (<usize>j0 << 2);
  const alpha = args.alpha;
  let accumulate = args.accumulate != 0;
  for (let k0 = 0; k0 < args.k; k0 += KC) {
    const k = min(KC, args.k - k0);
    const strip = <usize>k << 4;
    packBlock(scratch, strip, a + k0 * args.kStride * sizeA, args.formatA, args.kStride, args.rowStride, k, m, 4);
    for (let j = 0; j < n; j += PANEL) {
      const columns = min(PANEL, n - j);
      const right = b + (j * args.columnStride + k0 * args.bkStride) * sizeB;
      packBlock(scratch + B, STRIP, right, args.formatB, args.bkStride, args.columnStride, k, columns, 8);
      panel(strip, m, columns, k, c + (<usize>j << 2), ldc, alpha, accumulate);
    }
    accumulate = true;
  }
}

/** Where the panel is small enough for the L1 cache its rows are done one after the other, so that C is written in order; else its strips. */
function panel(strip: usize, m: i32, n: i32, k: i32, c: usize, ldc: usize, alpha: f32, accumulate: bool): void {
  if (k <= SHALLOW) {
    for (let i = 0; i < m; i += 4) for (let j = 0; j < n; j += 8) part(i, j, strip, m, n, k, c, ldc, alpha, accumulate);
  } else {
    for (let j = 0; j < n; j += 8) for (let i = 0; i < m; i += 4) part(i, j, strip, m, n, k, c, ldc, alpha, accumulate);
  }
}

function part(i: i32, j: i32, strip: usize, m: i32, n: i32, k: i32, c: usize, ldc: usize, alpha: f32, accumulate: bool): void {
  const a = scratch + <usize>(i >> 2) * strip;
  const b = scratch + B + <usize>(j >> 3) * STRIP;
  const to = c + i * ldc + (<usize>j << 2);
  if (m - i >= 4 && n - j >= 8) tile(a, b, k, to, ldc, alpha, accumulate);
  else edge(a, b, k, to, ldc, alpha, accumulate, min(4, m - i), min(8, n - j));
}

function edge(a: usize, b: usize, k: i32, c: usize, ldc: usize, alpha: f32, accumulate: bool, m: i32, n: i32): void {
  const at = scratch + EDGE;
  tile(a, b, k, at, 32, alpha, false);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const x = load<f32>(at + (i << 5) + (j << 2));
      const to = c + <usize>i * ldc + (j << 2);
      store<f32>(to, accumulate ? load<f32>(to) + x : x);
    }
  }
}
