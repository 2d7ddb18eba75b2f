/** Names of bitsandbytes' formats of four bits. */
export type FourBitType = "nf4" | "fp4";

/**
 * The values of the sixteen codes. NF4: quantiles of a normal distribution, the largest ±1. FP4: sign, two bits of exponent, one of mantissa, over 12; code 8
 * is a second zero.
 * @see Dettmers et al. 2023 (QLoRA); bitsandbytes `functional.py` get_4bit_type
 */
export const LEVELS: Readonly<Record<FourBitType, Float32Array>> = {
  nf4: Float32Array.of(
    -1,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1,
  ),
  fp4: Float32Array.from([0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3], (v) => v / 12),
};
