import { toF16 } from "../float.wasm";

/** Bytes of 32 numbers. */
const BLOCK: usize = 128;
/** The largest f16, and numbers that round to it. */
const LARGEST: f32 = 65520;

/** The number of largest magnitude of 32, the first of several. */
// @ts-ignore: decorator
@inline
function extremeOf(x: usize): f32 {
  let most = f32x4.abs(v128.load(x));
  for (let at: usize = 16; at < BLOCK; at += 16) most = f32x4.pmax(most, f32x4.abs(v128.load(x + at)));
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  const magnitude = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  if (magnitude == 0) return 0;
  const wanted = f32x4.splat(magnitude);
  for (let at: usize = 0; at < BLOCK; at += 16) {
    const found = i32x4.bitmask(f32x4.eq(f32x4.abs(v128.load(x + at)), wanted));
    if (found != 0) return load<f32>(x + at + (<usize>ctz(found) << 2));
  }
  return 0;
}

/** Puts a scale as f16. */
// @ts-ignore: decorator
@inline
function putScale(to: usize, d: f32): void {
  store<u16>(to, <u16>i32x4.extract_lane(toF16(f32x4.splat(d)), 0));
}

/** The nearest integers; of two the one away from zero. */
// @ts-ignore: decorator
@inline
function awayFromZero(v: v128): v128 {
  const even = f32x4.nearest(v);
  const rest = f32x4.sub(v, even);
  const one = v128.or(f32x4.splat(1), v128.and(v, i32x4.splat(0x80000000)));
  const half = f32x4.mul(one, f32x4.splat(0.5));
  return i32x4.trunc_sat_f32x4_s(f32x4.add(even, v128.and(one, f32x4.eq(rest, half))));
}

/**
 * Blocks of 32 numbers as Q8_0: a scale, a 127th of the largest magnitude, and codes of eight bits.
 * @returns the first block whose scale is beyond f16; -1 if there is none
 * @see ggml-quants.c quantize_row_q8_0_ref
 */
export function encodeQ8_0(x: usize, to: usize, blocks: i32): i32 {
  for (let block = 0; block < blocks; block++) {
    const d = abs(extremeOf(x)) / 127;
    if (d >= LARGEST) return block;
    const inverse = f32x4.splat(d == 0 ? 0 : 1 / d);
    putScale(to, d);
    for (let half: usize = 0; half < 2; half++) {
      const at = x + half * 64;
      const a = awayFromZero(f32x4.mul(v128.load(at), inverse));
      const b = awayFromZero(f32x4.mul(v128.load(at, 16), inverse));
      const c = awayFromZero(f32x4.mul(v128.load(at, 32), inverse));
      const e = awayFromZero(f32x4.mul(v128.load(at, 48), inverse));
      v128.store(to + 2 + half * 16, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, e)));
    }
    x += BLOCK;
    to += 34;
  }
  return -1;
}

/** Four codes of Q4_0. */
// @ts-ignore: decorator
@inline
function fourBits(x: usize, inverse: v128): v128 {
  return i32x4.min_s(i32x4.splat(15), i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.mul(v128.load(x), inverse), f32x4.splat(8.5))));
}

/**
 * Blocks of 32 numbers as Q4_0: a scale, a -8th of the value of largest magnitude, and codes of four bits, of which that value has 0.
 * @returns the first block whose scale is beyond f16; -1 if there is none
 * @see ggml-quants.c quantize_row_q4_0_ref
 */
export function encodeQ4_0(x: usize, to: usize, blocks: i32): i32 {
  for (let block = 0; block < blocks; block++) {
    const d = extremeOf(x) / -8;
    if (abs(d) >= LARGEST) return block;
    const inverse = f32x4.splat(d == 0 ? 0 : 1 / d);
    putScale(to, d);
    const low = i8x16.narrow_i16x8_u(
      i16x8.narrow_i32x4_s(fourBits(x, inverse), fourBits(x + 16, inverse)),
      i16x8.narrow_i32x4_s(fourBits(x + 32, inverse), fourBits(x + 48, inverse)),
    );
    const high = i8x16.narrow_i16x8_u(
      i16x8.narrow_i32x4_s(fourBits(x + 64, inverse), fourBits(x + 80, inverse)),
      i16x8.narrow_i32x4_s(fourBits(x + 96, inverse), fourBits(x + 112, inverse)),
    );
    // Codes are below 16, so that no bits pass from one byte to its neighbour.
    v128.store(to + 2, v128.or(low, i16x8.shl(high, 4)));
    x += BLOCK;
    to += 18;
  }
  return -1;
}
