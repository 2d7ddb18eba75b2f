import { bitAnd, cast, ConfigError, div, mul, shiftRight, sub, type Tensor } from "@weft/tensor-core";
import { flat, flatPosition, float, int, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { integerLevels } from "../rounding.js";
import { type Variants, variants } from "../variants.js";

/** A variant of HQQ. */
export interface HqqOptions {
  readonly bits: 1 | 2 | 3 | 4 | 8;
  /** Neighbours in the flat weight that share a scale and a zero point. */
  readonly groupSize: number;
  /** What it is computed in: differences and products are rounded to it. */
  readonly dtype: "f32" | "f16" | "bf16";
}

/** Codes in a byte: those of three bits take four. */
export const hqqPerByte = (bits: HqqOptions["bits"]): number => (bits === 3 ? 2 : 8 / bits);

const formatOf: Variants<HqqOptions, QuantFormat> = variants(({ bits, groupSize, dtype }: HqqOptions): QuantFormat => {
  const perByte = hqqPerByte(bits);
  const width = 8 / perByte;
  const codeAt = (codes: Tensor, at: Tensor): Tensor => {
    const byte = int(flat(codes, shiftRight(at, Math.log2(perByte))));
    return bitAnd(shiftRight(byte, mul(bitAnd(at, perByte - 1), width)), 2 ** bits - 1);
  };
  const rounded = (t: Tensor): Tensor => (dtype === "f32" ? t : float(cast(t, dtype)));
  return {
    name: `hqq-${bits}bit-g${groupSize}-${dtype}`,
    bits,
    levels: integerLevels(bits),
    block: 1,
    parts: ([out, columns]) => ({
      codes: part([Math.ceil((out * columns) / perByte)], "u8", 0, columns, perByte),
      scale: part([Math.ceil((out * columns) / groupSize)], dtype, 0, columns, groupSize),
      zero: part([Math.ceil((out * columns) / groupSize)], dtype, 0, columns, groupSize),
    }),
    codes: ({ codes }, shape) => codeAt(codes!, flatPosition(shape)),
    decode({ codes, scale, zero }, shape) {
      const at = flatPosition(shape);
      const group = Number.isInteger(Math.log2(groupSize)) ? shiftRight(at, Math.log2(groupSize)) : div(at, groupSize);
      return rounded(mul(rounded(sub(float(codeAt(codes!, at)), float(flat(zero!, group)))), float(flat(scale!, group))));
    },
  };
});

/**
 * HQQ: w = (code - zero) · scale for each group of neighbours; zero is no integer. Codes lie one after the other, from the lowest bits of a byte on, which is not how hqq stores
 * them: its halves (quarters …) of the weight share bytes, so that no row could be read alone.
 * @throws ConfigError for another group size
 * @see Badri, Shaji 2023 (HQQ); hqq `core/quantize.py`
 */
export function hqq({ bits, groupSize, dtype }: HqqOptions): QuantFormat {
  if (!(Number.isInteger(groupSize) && groupSize > 0 && groupSize % 8 === 0))
    throw new ConfigError(`hqq: groupSize is ${groupSize}, expected a multiple of 8`);
  return formatOf({ bits, groupSize, dtype });
}
