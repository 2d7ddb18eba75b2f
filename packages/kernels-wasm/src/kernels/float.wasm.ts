// Loads and stores of four floats in any storage format, as f32 lanes. The integer types stand for formats:
// i16 is bf16, u16 is f16 (AssemblyScript has neither; a type parameter chooses the code at compile time).
export type BF16 = i16;
export type F16 = u16;

/** Numbers of the formats in argument blocks. */
export const F32_CODE: i32 = 0;
export const BF16_CODE: i32 = 1;
export const F16_CODE: i32 = 2;

/** Bytes of an element. Any other code is the address of the arguments of `decode`: the matrix is packed, and its elements have numbers in place of addresses. */
// @ts-ignore: decorator
@inline
export function elementBytes(code: i32): i32 {
  return code == F32_CODE ? 4 : <u32>code <= <u32>F16_CODE ? 2 : 1;
}

/** a·b + c. One rounding on machines with fused multiply-add, else two: `plain-simd.ts` makes a product and a sum of it where there is no relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.relaxed_madd(a, b, c);
}

/** Four elements at `p` as f32. */
// @ts-ignore: decorator
@inline
export function load4<T>(p: usize): v128 {
  return sizeof<T>() == 4 ? v128.load(p) : lower4<T>(v128.load_zero<u64>(p));
}

/** The lower four of eight elements of 16 bits as f32. */
// @ts-ignore: decorator
@inline
export function lower4<T>(eight: v128): v128 {
  // bf16 is the upper half of f32. Interleaving is one instruction.
  if (isSigned<T>()) return v128.shuffle<i16>(i16x8.splat(0), eight, 0, 8, 1, 9, 2, 10, 3, 11);
  return rebased(v128.shuffle<i16>(i16x8.shl(eight, 13), f16High(eight), 0, 8, 1, 9, 2, 10, 3, 11));
}

// @ts-ignore: decorator
@inline
export function upper4<T>(eight: v128): v128 {
  if (isSigned<T>()) return v128.shuffle<i16>(i16x8.splat(0), eight, 4, 12, 5, 13, 6, 14, 7, 15);
  return rebased(v128.shuffle<i16>(i16x8.shl(eight, 13), f16High(eight), 4, 12, 5, 13, 6, 14, 7, 15));
}

/** The upper halves of eight f16 with sign, exponent and mantissa at the places of f32; Inf and NaN have their exponent filled up. */
// @ts-ignore: decorator
@inline
function f16High(eight: v128): v128 {
  const special = i16x8.gt_s(v128.and(eight, i16x8.splat(0x7fff)), i16x8.splat(0x7bff));
  return v128.or(v128.and(i16x8.shr_s(eight, 3), i16x8.splat(<i16>0x8fff)), v128.and(special, i16x8.splat(0x7f80)));
}

/** Moves the exponent by 112; as a product this is right for subnormals too. */
// @ts-ignore: decorator
@inline
function rebased(placed: v128): v128 {
  return f32x4.mul(placed, f32x4.splat(reinterpret<f32>(0x77800000)));
}

/** The 16 bits of bf16 in each lane, nearest even; NaN becomes 0x7fc0 with its sign. */
// @ts-ignore: decorator
@inline
export function toBf16(v: v128): v128 {
  const high = i32x4.shr_u(v, 16);
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(v, i32x4.splat(0x7fff)), v128.and(high, i32x4.splat(1))), 16);
  const nan = v128.or(v128.and(high, i32x4.splat(0x8000)), i32x4.splat(0x7fc0));
  return v128.bitselect(nan, rounded, f32x4.ne(v, v));
}

/** The 16 bits of f16 in each lane, nearest even; overflow gives Inf, NaN becomes 0x7e00 with its sign. */
// @ts-ignore: decorator
@inline
export function toF16(v: v128): v128 {
  const magnitude = v128.and(v, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff - (112 << 23))), odd), 13);
  // Below 2^-14: adding 0.5 puts the last place of a subnormal f16 at the last place of f32, so the sum rounds for us.
  const tiny = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  let bits = v128.bitselect(tiny, normal, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  bits = v128.bitselect(i32x4.splat(0x7c00), bits, i32x4.gt_s(magnitude, i32x4.splat(0x477fefff)));
  bits = v128.bitselect(i32x4.splat(0x7e00), bits, i32x4.gt_s(magnitude, i32x4.splat(0x7f800000)));
  return v128.or(bits, v128.and(i32x4.shr_u(v, 16), i32x4.splat(0x8000)));
}

// @ts-ignore: decorator
@inline
export function store4<T>(p: usize, v: v128): void {
  if (sizeof<T>() == 4) {
    v128.store(p, v);
    return;
  }
  const bits = isSigned<T>() ? toBf16(v) : toF16(v);
  v128.store_lane<u64>(p, i16x8.narrow_i32x4_u(bits, bits), 0);
}

/** One element as f32. */
// @ts-ignore: decorator
@inline
export function load1<T>(p: usize): f32 {
  if (sizeof<T>() == 4) return load<f32>(p);
  const h = <i32>load<u16>(p);
  if (isSigned<T>()) return reinterpret<f32>(h << 16);
  const magnitude = h & 0x7fff;
  let bits = reinterpret<i32>(reinterpret<f32>(magnitude << 13) * reinterpret<f32>(0x77800000));
  if (magnitude > 0x7bff) bits |= 0x7f800000;
  return reinterpret<f32>(bits | ((h & 0x8000) << 16));
}
