import { madd } from "../float.wasm";

/**
 * C (4×8, rows `ldc` bytes apart) = α·A·B, or += with `accumulate`. A is packed [k][4], B is packed [k][8].
 * 4×8 because 6×8 spills registers in V8 ≤ 12 and is slower there by a third.
 */
export function tile(a: usize, b: usize, k: i32, c: usize, ldc: usize, alpha: f32, accumulate: bool): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  const end = a + (<usize>k << 4);
  for (; a < end; a += 16, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load_splat<u32>(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load_splat<u32>(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load_splat<u32>(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load_splat<u32>(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
  }
  const scale = f32x4.splat(alpha);
  write(c, c00, c01, scale, accumulate);
  write(c + ldc, c10, c11, scale, accumulate);
  write(c + 2 * ldc, c20, c21, scale, accumulate);
  write(c + 3 * ldc, c30, c31, scale, accumulate);
}

// @ts-ignore: decorator
@inline
function write(c: usize, x: v128, y: v128, scale: v128, accumulate: bool): void {
  x = f32x4.mul(x, scale);
  y = f32x4.mul(y, scale);
  if (accumulate) {
    x = f32x4.add(x, v128.load(c));
    y = f32x4.add(y, v128.load(c, 16));
  }
  v128.store(c, x);
  v128.store(c, y, 16);
}

/** As `tile` with α = 1 and fused multiply-adds, one rounding for each step, on machines that have none. */
export function tileFused(a: usize, b: usize, k: i32, c: usize, ldc: usize): void {
  const low = i64x2.splat(0x1fffffff);
  const half = i64x2.splat(0x10000000);
  for (let row: usize = 0; row < 4; row++) {
    let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, tie = s0;
    for (let p = 0; p < k; p++) {
      const x = f64x2.splat(<f64>load<f32>(a + (p << 4) + (row << 2)));
      const b0 = v128.load(b + (p << 5));
      const b1 = v128.load(b + (p << 5), 16);
      // The product is exact in f64; the sum is rounded to f64 and then to f32. That is wrong only if the f64 is half-way between two f32.
      s0 = f64x2.add(f64x2.mul(x, f64x2.promote_low_f32x4(b0)), s0);
      s1 = f64x2.add(f64x2.mul(x, f64x2.promote_low_f32x4(v128.shuffle<i64>(b0, b0, 1, 1))), s1);
      s2 = f64x2.add(f64x2.mul(x, f64x2.promote_low_f32x4(b1)), s2);
      s3 = f64x2.add(f64x2.mul(x, f64x2.promote_low_f32x4(v128.shuffle<i64>(b1, b1, 1, 1))), s3);
      tie = v128.or(v128.or(tie, i64x2.eq(v128.and(s0, low), half)), i64x2.eq(v128.and(s1, low), half));
      tie = v128.or(v128.or(tie, i64x2.eq(v128.and(s2, low), half)), i64x2.eq(v128.and(s3, low), half));
      s0 = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(s0));
      s1 = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(s1));
      s2 = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(s2));
      s3 = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(s3));
    }
    const to = c + row * ldc;
    v128.store(to, v128.shuffle<i64>(f32x4.demote_f64x2_zero(s0), f32x4.demote_f64x2_zero(s1), 0, 2));
    v128.store(to, v128.shuffle<i64>(f32x4.demote_f64x2_zero(s2), f32x4.demote_f64x2_zero(s3), 0, 2), 16);
    if (v128.any_true(tie)) for (let i: usize = 0; i < 8; i++) store<f32>(to + (i << 2), dotFused(a + (row << 2), b + (i << 2), k));
  }
}

/** One chain of exact fused multiply-adds: the f64 sum is rounded to odd first, so that rounding to f32 sees what was lost. */
function dotFused(a: usize, b: usize, k: i32): f32 {
  let acc: f32 = 0;
  for (let p = 0; p < k; p++, a += 16, b += 32) {
    const x = <f64>load<f32>(a) * <f64>load<f32>(b);
    const y = <f64>acc;
    let s = x + y;
    const t = s - x;
    const lost = (x - (s - t)) + (y - t);
    const bits = reinterpret<i64>(s);
    if (lost != 0 && (bits & 1) == 0) s = reinterpret<f64>(lost > 0 == s > 0 ? bits + 1 : bits - 1);
    acc = <f32>s;
  }
  return acc;
}
