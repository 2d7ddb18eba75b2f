import { narrow } from "../convert.wasm";
import { scratch } from "../env.wasm";
import { BF16_CODE, F16, F16_CODE, lower4, toBf16, toF16 } from "../float.wasm";
import { packBlock } from "../product/pack-block.wasm";
import { unpackLine } from "../product/pack-line.wasm";
import { tile, tileFused } from "../product/tile.wasm";

/** Columns whose Δ (4 rows, 8 KiB) stays in the L1 cache between product and sum. */
const BLOCK: i32 = 512;
/** Places in the scratch memory: Δ, packed rows of L, one block of W as f32. */
const DELTA: usize = 0;
const LEFT: usize = 16 << 10;
const ROW: usize = 12 << 10;

@unmanaged
class MergeArgs {
  w: usize;
  ldw: i32;
  formatW: i32;
  out: usize;
  ldo: i32;
  formatOut: i32;
  rows: i32;
  columns: i32;
  r: i32;
  l: usize;
  formatL: i32;
  rowStride: i32;
  kStride: i32;
  /** R, packed by `packRight`. */
  packed: usize;
  scale: f32;
  /** Format that Δ is rounded to first. */
  rounding: i32;
  /** The chain must be fused exactly; 0 if all products are exact in f32. */
  chained: i32;
  /** 0: none; else per four rows max|Δ|, ΣΔ², whether a result is not finite, unused. */
  statistics: usize;
}

/**
 * W' = round(W + round_d(s·L·R)), row by row; four rows of W are read once and written once.
 * The dot is a chain of fused multiply-adds over k in f32 (what MKL's sgemm does), then one product with s, then the sum.
 */
export function merge(args: MergeArgs, start: i32, end: i32): void {
  const rows = args.rows;
  const columns = args.columns;
  const r = args.r;
  for (let item = start; item < end; item++) {
    const row = item << 2;
    const count = min(4, rows - row);
    packBlock(scratch + LEFT, 0, args.l + ((row * args.rowStride) << (args.formatL == 0 ? 2 : 1)), args.formatL, args.kStride, args.rowStride, r, count, 4);
    for (let j0 = 0; j0 < columns; j0 += BLOCK) {
      const n = min(BLOCK, columns - j0);
      for (let j = 0; j < n; j += 8) {
        const right = args.packed + ((j0 + j) >> 3) * (r << 5);
        const to = scratch + DELTA + (j << 2);
        if (args.chained) tileFused(scratch + LEFT, right, r, to, BLOCK << 2);
        else tile(scratch + LEFT, right, r, to, BLOCK << 2, 1, false);
      }
      for (let i = 0; i < count; i++) addDelta(args, row + i, j0, n, scratch + DELTA + i * (BLOCK << 2), item);
    }
  }
}

function addDelta(args: MergeArgs, row: i32, column: i32, n: i32, delta: usize, item: i32): void {
  const from = args.formatW;
  const into = args.formatOut;
  const w = args.w + ((<usize>row * args.ldw + column) << (from == 0 ? 2 : 1));
  const o = args.out + ((<usize>row * args.ldo + column) << (into == 0 ? 2 : 1));
  unpackLine(scratch + ROW, w, from, n);
  add(args, n, delta, args.statistics == 0 ? 0 : args.statistics + (item << 4));
  narrow(o, scratch + ROW, into, n);
}

/** row += round(s·delta), with statistics if wanted. */
function add(args: MergeArgs, n: i32, delta: usize, stats: usize): void {
  const scale = f32x4.splat(args.scale);
  const rounding = args.rounding;
  let largest = f32x4.splat(0), squares = largest, bad = largest;
  for (let j = 0; j < n; j += 4) {
    let d = f32x4.mul(v128.load(delta + (j << 2)), scale);
    if (rounding == BF16_CODE) d = i32x4.shl(toBf16(d), 16);
    else if (rounding == F16_CODE) {
      const bits = toF16(d);
      d = lower4<F16>(i16x8.narrow_i32x4_u(bits, bits));
    }
    const result = f32x4.add(v128.load(scratch + ROW + (j << 2)), d);
    v128.store(scratch + ROW + (j << 2), result);
    if (!stats) continue;
    const lanes = i32x4.gt_s(i32x4.splat(n - j), i32x4(0, 1, 2, 3));
    d = v128.and(d, lanes);
    bad = v128.or(bad, v128.and(lanes, f32x4.ne(f32x4.sub(result, result), f32x4.splat(0))));
    largest = f32x4.max(largest, f32x4.abs(d));
    squares = f32x4.add(squares, f32x4.mul(d, d));
  }
  if (!stats) return;
  const top = max(max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)), max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)));
  store<f32>(stats, max(load<f32>(stats), top));
  store<f32>(stats, load<f32>(stats, 4) + (f32x4.extract_lane(squares, 0) + f32x4.extract_lane(squares, 1)) + (f32x4.extract_lane(squares, 2) + f32x4.extract_lane(squares, 3)), 4);
  if (v128.any_true(bad)) store<f32>(stats, 1, 8);
}
