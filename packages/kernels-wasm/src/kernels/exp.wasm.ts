// Exponentials of rows of f32 and their sums, as softmax takes them.
import { madd } from "./float.wasm";

/** e^y of four y ≤ 88, within 1 unit in the last place, 0 below e^-87.3. */
// @ts-ignore: decorator
@inline
export function exp(y: v128): v128 {
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

/** As `exp`, of any numbers. */
// @ts-ignore: decorator
@inline
export function expAny(y: v128): v128 {
  return v128.bitselect(f32x4.splat(Infinity), exp(y), f32x4.gt(y, f32x4.splat(88.72283)));
}

/** e^(x - by) for x - by ≤ 88, within 1 unit in the last place, 0 below e^-87.3; n numbers, a multiple of eight. @returns their sum */
export function expRow(to: usize, x: usize, n: i32, by: v128): f32 {
  let sum = f32x4.splat(0);
  // Two at a time: constants are made anew in each round.
  for (const end = x + (n << 2); x < end; x += 32, to += 32) {
    const p = exp(f32x4.sub(v128.load(x), by)), r = exp(f32x4.sub(v128.load(x, 16), by));
    v128.store(to, p);
    v128.store(to, r, 16);
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
