import { FormatError } from "@weft/tensor-core";

const f32 = new Float32Array(1);
const bits = new Int32Array(f32.buffer);
/** Adding and subtracting it rounds to multiples of 2^-24, the step of subnormal f16 numbers. */
const SUBNORMAL_STEP = 1.5 * 2 ** 28;
/** From here on f16 has infinity. */
const OVERFLOW = 65520;

/** The nearest f16 number, as f32; ties to even. */
export function roundF16(x: number): number {
  f32[0] = x;
  if (Math.abs(x) < 2 ** -14) {
    const magnitude = Math.abs(x) + SUBNORMAL_STEP - SUBNORMAL_STEP;
    return bits[0]! < 0 ? -magnitude : magnitude;
  }
  bits[0] = (bits[0]! + 0xfff + ((bits[0]! >> 13) & 1)) & ~0x1fff;
  return Math.abs(f32[0]) >= OVERFLOW ? Math.sign(x) * Infinity : f32[0];
}

/** The 16 bits of a number that f16 holds exactly. */
export function f16Bits(x: number): number {
  f32[0] = x;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = Math.abs(x);
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24);
  if (magnitude === Infinity) return sign | 0x7c00;
  return sign | (((bits[0]! & 0x7fffffff) - 0x38000000) >> 13);
}

/** Scales as the 16 bits of f16. @throws FormatError kind `non-finite` for what f16 does not hold */
export function f16Array(values: Float32Array, format: string): Uint16Array {
  return Uint16Array.from(values, (v) => {
    const rounded = roundF16(v);
    if (!Number.isFinite(rounded)) throw tooLarge(format, v);
    return f16Bits(rounded);
  });
}

/** @returns the error of a number beyond f16, to be thrown */
export const tooLarge = (format: string, value: number): FormatError =>
  new FormatError(`${format}: a value or scale is ${value}, and f16 ends at 65504`, {
    kind: "non-finite",
    hint: "take a format whose scales are f32, such as NF4",
  });
