import { float, scratch, word } from "./env";
import { pack } from "./pack";
import { tile } from "./tile";

/** Rows and depth of the block of A that a thread packs for itself (64 KiB); columns of C per item. */
const MC: i32 = 64;
const KC: i32 = 256;
const NC: i32 = 512;
/** Where edge tiles are computed, behind the packed block. */
const EDGE: usize = 128 << 10;

/**
 * C = α·A·B (+ C) for a batch of matrices, f32 accumulation; B was packed by `packRight`. An item is one block of 64 × 512 of one C.
 *
 * args: 0 A, 1 row stride, 2 k stride, 3 format, 4 packed B, 5 C (f32), 6 ldc, 7 M, 8 N, 9 K, 10 α (f32), 11 accumulate,
 * 12 table of byte offsets (A, B, C per matrix), 13 bytes from one packed B to the next (0: shared), 14 row stride of blocks = column blocks.
 */
export function gemm(args: usize, start: i32, end: i32): void {
  const rows = word(args, 7);
  const columns = word(args, 8);
  const depth = word(args, 9);
  const rowBlocks = (rows + MC - 1) / MC;
  const columnBlocks = (columns + NC - 1) / NC;
  const perMatrix = rowBlocks * columnBlocks;
  for (let item = start; item < end; item++) {
    const batch = item / perMatrix;
    const block = item - batch * perMatrix;
    const i0 = (block / columnBlocks) * MC;
    const j0 = (block % columnBlocks) * NC;
    const table = word(args, 12) + batch * 12;
    gemmBlock(args, word(args, 0) + load<i32>(table), word(args, 4) + batch * word(args, 13), word(args, 5) + load<i32>(table, 8), i0, min(MC, rows - i0), j0, min(NC, columns - j0), depth);
  }
}

function gemmBlock(args: usize, a: usize, packed: usize, c: usize, i0: i32, m: i32, j0: i32, n: i32, depth: i32): void {
  const stride = word(args, 1);
  const kStride = word(args, 2);
  const code = word(args, 3);
  const shift = code == 0 ? 2 : 1;
  const ldc = <usize>word(args, 6) << 2;
  const alpha = float(args, 10);
  let accumulate = word(args, 11) != 0;
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
