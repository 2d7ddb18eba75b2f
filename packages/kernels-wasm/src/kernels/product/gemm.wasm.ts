import { scratch } from "../env.wasm";
import { pack } from "./pack.wasm";
import { tile } from "./tile.wasm";

/** Rows and depth of the block of A that a thread packs for itself (64 KiB); columns of C per item. */
const MC: i32 = 64;
const KC: i32 = 256;
const NC: i32 = 512;
/** Where edge tiles are computed, behind the packed block. */
const EDGE: usize = 128 << 10;

@unmanaged
class GemmArgs {
  a: usize;
  rowStride: i32;
  kStride: i32;
  /** Of A. */
  format: i32;
  /** B, packed by `packRight`. */
  packed: usize;
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
  /** From one packed B to the next; 0: all share one. */
  packedBytes: i32;
}

/** C = α·A·B (+ C) for a batch of matrices, f32 accumulation. An item is one block of 64 × 512 of one C. */
export function gemm(args: GemmArgs, start: i32, end: i32): void {
  const rows = args.m;
  const columns = args.n;
  const depth = args.k;
  const rowBlocks = (rows + MC - 1) / MC;
  const columnBlocks = (columns + NC - 1) / NC;
  const perMatrix = rowBlocks * columnBlocks;
  for (let item = start; item < end; item++) {
    const batch = item / perMatrix;
    const block = item - batch * perMatrix;
    const i0 = (block / columnBlocks) * MC;
    const j0 = (block % columnBlocks) * NC;
    const table = args.table + batch * 12;
    gemmBlock(args, args.a + load<i32>(table), args.packed + batch * args.packedBytes, args.c + load<i32>(table, 8), i0, min(MC, rows - i0), j0, min(NC, columns - j0), depth);
  }
}

function gemmBlock(args: GemmArgs, a: usize, packed: usize, c: usize, i0: i32, m: i32, j0: i32, n: i32, depth: i32): void {
  const stride = args.rowStride;
  const kStride = args.kStride;
  const code = args.format;
  const shift = code == 0 ? 2 : 1;
  const ldc = <usize>args.ldc << 2;
  const alpha = args.alpha;
  let accumulate = args.accumulate != 0;
  for (let k0 = 0; k0 < depth; k0 += KC) {
    const kc = min(KC, depth - k0);
    for (let i = 0; i < m; i += 4) {
      pack(scratch + i * (kc << 2), a + (((i0 + i) * stride + k0 * kStride) << shift), code, kStride, stride, kc, min(4, m - i), 4);
    }
    for (let j = 0; j < n; j += 8) {
      const b = packed + (((j0 + j) >> 3) * depth + k0) * 32;
      for (let i = 0; i < m; i += 4) {
        const to = c + <usize>(i0 + i) * ldc + (<usize>(j0 + j) << 2);
        const from = scratch + i * (kc << 2);
        if (m - i >= 4 && n - j >= 8) tile(from, b, kc, to, ldc, alpha, accumulate);
        else edge(from, b, kc, to, ldc, alpha, accumulate, min(4, m - i), min(8, n - j));
      }
    }
    accumulate = true;
  }
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
