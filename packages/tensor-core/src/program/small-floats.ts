import type { Lanes } from "./lanes.js";

/**
 * A float format of at most 16 bits, sign first.
 *
 * | format | sign, exponent, mantissa | overflow | source |
 * |---|---|---|---|
 * | f16 | 1, 5, 10 | ±Inf | IEEE 754 binary16 |
 * | bf16 | 1, 8, 7 | ±Inf | torch `c10/util/BFloat16.h` |
 * | f8e4m3 | 1, 4, 3; no Inf, NaN = 0x7f | ±448, also of ±Inf | torch `headeronly/util/Float8_e4m3fn.h` (2.13; older versions gave NaN) |
 * | f8e5m2 | 1, 5, 2 | ±Inf | OCP 8-bit floating point |
 */
interface Format {
  /** Bits of the mantissa. */
  readonly mantissa: number;
  /** Exponent bias. */
  readonly bias: number;
  /** Largest finite magnitude; what larger ones become; NaN. All as bits of the format. */
  readonly maxFinite: number;
  readonly overflow: number;
  readonly nan: number;
  /** Place of the sign bit. */
  readonly sign: number;
}

/** The floats of fewer than 32 bits. */
export type SmallFloat = "bf16" | "f16" | "f8e4m3" | "f8e5m2";

/** bf16 is the upper half of an f32 and needs no description. */
const FORMATS: Readonly<Record<Exclude<SmallFloat, "bf16">, Format>> = {
  f16: { mantissa: 10, bias: 15, maxFinite: 0x7bff, overflow: 0x7c00, nan: 0x7e00, sign: 15 },
  f8e4m3: { mantissa: 3, bias: 7, maxFinite: 0x7e, overflow: 0x7e, nan: 0x7f, sign: 7 },
  f8e5m2: { mantissa: 2, bias: 15, maxFinite: 0x7b, overflow: 0x7c, nan: 0x7f, sign: 7 },
};

/** Whether a dtype is a float of fewer than 32 bits. */
export function isSmallFloat(dtype: string): dtype is SmallFloat {
  return dtype === "bf16" || Object.hasOwn(FORMATS, dtype);
}

/** Stored bits (zero-extended) as the f32 of the same value, exact. */
export function decodeSmallFloat<F, I, M>(l: Lanes<F, I, M>, raw: I, dtype: SmallFloat): F {
  if (dtype === "bf16") return l.float(l.shl(raw, 16));
  if (dtype === "f16") return l.half(raw);
  // e5m2 is the upper byte of an f16.
  if (dtype === "f8e5m2") return l.half(l.shl(raw, 8));
  const magnitude = l.iand(raw, l.i32(0x7f));
  const sign = l.shl(l.iand(raw, l.i32(0x80)), 8);
  // The exponent's bias is less than that of f16 by 8.
  const value = l.mul(l.half(l.ior(l.shl(magnitude, 7), sign)), l.f32(256));
  return l.select(l.ieq(magnitude, l.i32(0x7f)), l.f32(NaN), value);
}

/** `half` on lanes that have no instruction for it, nor flush subnormals. */
export function halfOf<F, I, M>(l: Lanes<F, I, M>, raw: I): F {
  const magnitude = l.iand(raw, l.i32(0x7fff));
  const bias = l.i32(112 << 23);
  const moved = l.iadd(l.shl(magnitude, 13), bias);
  // No product with a power of two: processors take a hundred times as long for one with a subnormal f32.
  const subnormal = l.bits(l.sub(l.float(l.iadd(moved, l.i32(1 << 23))), l.f32(2 ** -14)));
  const finite = l.iselect(l.ilt(magnitude, l.i32(0x400)), subnormal, moved);
  const special = l.iselect(l.ilt(l.i32(0x7bff), magnitude), bias, l.i32(0));
  return l.float(l.ior(l.iadd(finite, special), l.shl(l.shrU(raw, 15), 31)));
}

/** An f32 as stored bits (the upper ones zero): nearest, ties to even. */
export function encodeSmallFloat<F, I, M>(l: Lanes<F, I, M>, value: F, dtype: SmallFloat): I {
  const bits = l.bits(value);
  if (dtype === "bf16") {
    const high = l.shrU(bits, 16);
    const rounded = l.shrU(l.iadd(l.iadd(bits, l.i32(0x7fff)), l.iand(high, l.i32(1))), 16);
    return l.iselect(l.isNaN(value), l.ior(l.iand(high, l.i32(0x8000)), l.i32(0x7fc0)), rounded);
  }
  const { mantissa, bias, maxFinite, overflow, nan, sign } = FORMATS[dtype];
  const shift = 23 - mantissa;
  const magnitude = l.iand(bits, l.i32(0x7fffffff));
  const odd = l.iand(l.shrU(magnitude, shift), l.i32(1));
  const rebased = l.iadd(magnitude, l.i32((1 << (shift - 1)) - 1 - ((127 - bias) << 23)));
  const normal = l.shrU(l.iadd(rebased, odd), shift);
  // Below the normal range: the sum with a power of two whose last place is the format's smallest step rounds for us.
  const tiny = l.isub(l.bits(l.add(l.float(magnitude), l.f32(2 ** (1 - bias + shift)))), l.i32((128 - bias + shift) << 23));
  const near = l.iselect(l.ilt(magnitude, l.i32((128 - bias) << 23)), tiny, normal);
  const bounded = l.iselect(l.ilt(l.i32(maxFinite), near), l.i32(overflow), near);
  const result = l.iselect(l.ilt(l.i32(0x7f800000), magnitude), l.i32(nan), bounded);
  return l.ior(result, l.shl(l.shrU(bits, 31), sign));
}
