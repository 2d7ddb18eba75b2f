/** Adding and subtracting it leaves no bits behind the point. */
const MAGIC = 1.5 * 2 ** 52;

/** The nearest integer, the even one of two: |x| < 2^51. */
export const roundHalfToEven = (x: number): number => x + MAGIC - MAGIC;

/** -128 … 127. */
export const INT8_LEVELS: Float32Array = /* @__PURE__ */ Float32Array.from({ length: 256 }, (_, i) => i - 128);

/** 0 … 2^bits - 1, less `zero`. */
export const integerLevels = (bits: number, zero = 0): Float32Array => Float32Array.from({ length: 2 ** bits }, (_, i) => i - zero);
