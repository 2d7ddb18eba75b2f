import { narrow } from "../convert.wasm";
import { F32_CODE, madd } from "../float.wasm";
import { unpackLine } from "../product/pack-line.wasm";

/** What stands for the score of a key that is not seen: the smallest f32, as in the decomposition. */
export const MASKED: f32 = -3.4028234663852886e38;

/** Sizes in scratch memory: keys at a time, and the bytes from one row of scores to the next. */
export const KEYS: i32 = 64;
export const SCORE_PITCH: usize = 256;

/** Where the rows of an operand lie, [batch, head, row, width] with neighbours in a row; strides in bytes. */
@unmanaged
export class Rows {
  data: usize;
  batch: i32;
  head: i32;
  row: i32;
  format: i32;
  width: i32;
}

/** Bytes from row to row in scratch memory: whole tiles of 8 columns. */
// @ts-ignore: decorator
@inline
export function pitchOf(width: i32): usize {
  return <usize>((width + 7) & ~7) << 2;
}

/** Bytes of n rows that lie dense. */
// @ts-ignore: decorator
@inline
export function rowBytes(n: i32, width: i32, format: i32): usize {
  return <usize>(n * width) << (format == F32_CODE ? 2 : 1);
}

/** Row r of a slab, whose rows are those of several heads one after the other, `perHead` each. */
// @ts-ignore: decorator
@inline
export function rowAt(x: Rows, slab: usize, r: i32, perHead: i32): usize {
  const head = r / perHead;
  return slab + head * x.head + (r - head * perHead) * x.row;
}

/** Rows first … first+count-1 of a slab as f32, `pitch` bytes apart; what is between their ends and the pitch becomes zero. */
export function copyRows(to: usize, pitch: usize, x: Rows, slab: usize, first: i32, count: i32, perHead: i32): void {
  const width = x.width;
  for (let r = first; r < first + count; r++, to += pitch) {
    unpackLine(to, rowAt(x, slab, r, perHead), x.format, width);
    memory.fill(to + (<usize>width << 2), 0, pitch - (<usize>width << 2));
  }
}

/** Times a factor in place. */
export function scaleRows(x: usize, bytes: usize, by: f32): void {
  if (by == 1) return;
  const factor = f32x4.splat(by);
  for (let j: usize = 0; j < bytes; j += 16) v128.store(x + j, f32x4.mul(v128.load(x + j), factor));
}

/** A row of f32, which is overwritten, times a factor in any format. */
export function storeRow(to: usize, format: i32, from: usize, width: i32, factor: f32): void {
  scaleRows(from, <usize>((width + 3) & ~3) << 2, factor);
  narrow(to, from, format, width);
}

// @ts-ignore: decorator
@inline
function exp(y: v128): v128 {
  // Sums with 1.5·2^23 are whole numbers, which lie in the last bits.
  const magic = f32x4.splat(12582912), low = f32x4.splat(-87.3);
  const rounded = madd(f32x4.pmax(y, low), f32x4.splat(1.4426950408889634), magic);
  const whole = f32x4.sub(rounded, magic);
  // ln 2 in two parts; multiples of the first by exponents are exact.
  const r = madd(whole, f32x4.splat(2.1219444005469057e-4), madd(whole, f32x4.splat(-0.693359375), y));
  let p = madd(r, f32x4.splat(0.0013950628926977515), f32x4.splat(0.008368969894945621));
  p = madd(p, r, f32x4.splat(0.04166620224714279));
  p = madd(p, r, f32x4.splat(0.166665181517601));
  p = madd(p, r, f32x4.splat(0.5));
  p = f32x4.add(madd(f32x4.mul(r, r), p, r), f32x4.splat(1));
  return v128.andnot(i32x4.add(p, i32x4.shl(rounded, 23)), f32x4.lt(y, low));
}

/** x becomes e^(x - by) for x - by ≤ 88, within 1 unit in the last place, 0 below e^-87.3; n numbers, a multiple of eight. @returns their sum */
export function expRow(x: usize, n: i32, by: v128): f32 {
  let sum = f32x4.splat(0);
  for (const end = x + (n << 2); x < end; x += 32) {
    const p = exp(f32x4.sub(v128.load(x), by)), r = exp(f32x4.sub(v128.load(x, 16), by));
    v128.store(x, p);
    v128.store(x, r, 16);
    sum = f32x4.add(sum, f32x4.add(p, r));
  }
  return sum4(sum);
}

/** ln x of a normal number above 0, NaN of NaN: exponent and 2·artanh((m - 1)/(m + 1)), of which the terms left out are below 1e-10. */
export function log(x: f32): f32 {
  const bits = reinterpret<i32>(x);
  const e = (bits - 0x3f3504f3) >> 23;
  const m = <f64>reinterpret<f32>(bits - (e << 23));
  const s = (m - 1) / (m + 1), t = s * s;
  return <f32>(<f64>e * 0.6931471805599453 + 2 * s * (1 + t * (1 / 3.0 + t * (1 / 5.0 + t * (1 / 7.0 + t * (1 / 9.0 + t / 11.0))))) + (x - x));
}

// @ts-ignore: decorator
@inline
export function sum4(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
