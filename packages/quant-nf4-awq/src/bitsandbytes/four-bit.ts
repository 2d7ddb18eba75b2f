import { add, ConfigError, type MatrixShape, mul, type Parts, shiftRight, type Tensor } from "@weft/tensor-core";
import { asFloats, bytesOf } from "../bytes.js";
import { flat, flatPosition, int, nibbleAt, part } from "../graph.js";
import type { PartBytes, QuantFormat } from "../quant-format.js";
import { type Variants, variants } from "../variants.js";
import { quantizeBlockwise } from "./blockwise8.js";
import { DYNAMIC_MAP } from "./dynamic-map.js";
import { encodeFourBit } from "./encode-four-bit.js";
import { type FourBitType, LEVELS } from "./levels.js";

/** Block sizes that bitsandbytes has kernels for; transformers always takes 64. */
export const FOUR_BIT_BLOCKSIZES: readonly number[] = [32, 64, 128, 256, 512, 1024, 2048, 4096];
/** Block maxima that share a scale where they are quantised themselves. */
export const NESTED_BLOCKSIZE = 256;

/** A variant of bitsandbytes' formats of four bits. */
export interface FourBitOptions {
  /** Default `nf4`. */
  readonly quantType?: FourBitType;
  /** Neighbours that share a scale, one of `FOUR_BIT_BLOCKSIZES`; default 64. */
  readonly blocksize?: number;
  /** Store the scales in eight bits (`bnb_4bit_use_double_quant`): 4.127 bits a weight instead of 4.5. Default false. */
  readonly doubleQuant?: boolean;
}

/** Mean of block maxima, as f32. */
const mean = (values: Float32Array): number => Math.fround(values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length));

/** The parts of a weight with block maxima in eight bits, of those with them in f32. */
function nested(parts: PartBytes): PartBytes {
  const absmax = asFloats(parts.absmax!);
  const offset = mean(absmax);
  const quantized = quantizeBlockwise(
    absmax.map((v) => v - offset),
    NESTED_BLOCKSIZE,
  );
  return {
    ...parts,
    absmax: quantized.codes,
    nested_absmax: bytesOf(quantized.absmax),
    nested_quant_map: bytesOf(DYNAMIC_MAP),
    nested_offset: bytesOf(Float32Array.of(offset)),
  };
}

const formatOf: Variants<Required<FourBitOptions>, QuantFormat> = variants(
  ({ quantType, blocksize, doubleQuant }: Required<FourBitOptions>): QuantFormat => {
    const shift = Math.log2(blocksize);
    const blocks = ([out, width]: MatrixShape): number => Math.ceil((out * width) / blocksize);
    const absmaxOf = (parts: Parts, shape: MatrixShape): Tensor => {
      const block = shiftRight(flatPosition(shape), shift);
      if (!doubleQuant) return flat(parts.absmax!, block);
      const value = flat(parts.nested_quant_map!, int(flat(parts.absmax!, block)));
      return add(mul(value, flat(parts.nested_absmax!, shiftRight(block, Math.log2(NESTED_BLOCKSIZE)))), parts.nested_offset!);
    };
    const codes = ({ weight }: Parts, shape: MatrixShape): Tensor => nibbleAt(weight!, flatPosition(shape), "high");
    return {
      name: `${quantType}${blocksize === 64 ? "" : `-b${blocksize}`}${doubleQuant ? "-nested" : ""}`,
      bits: 4,
      levels: LEVELS[quantType],
      block: 1,
      parts: (shape) => ({
        weight: part([Math.ceil((shape[0] * shape[1]) / 2)], "u8", 0, shape[1], 2),
        absmax: part([blocks(shape)], doubleQuant ? "u8" : "f32", 0, shape[1], blocksize),
        quant_map: part([16], "f32"),
        ...(doubleQuant && {
          nested_absmax: part([Math.ceil(blocks(shape) / NESTED_BLOCKSIZE)], "f32", 0, shape[1], blocksize * NESTED_BLOCKSIZE),
          nested_quant_map: part([256], "f32"),
          nested_offset: part([1], "f32"),
        }),
      }),
      codes,
      decode: (parts, shape) => mul(flat(parts.quant_map!, codes(parts, shape)), absmaxOf(parts, shape)),
      encode(values) {
        const { packed, absmax } = encodeFourBit(values, quantType, blocksize);
        const parts = { weight: packed, quant_map: bytesOf(LEVELS[quantType]), absmax: bytesOf(absmax) };
        return doubleQuant ? nested(parts) : parts;
      },
      ...(doubleQuant && { packs: { format: formatOf({ quantType, blocksize, doubleQuant: false }), parts: nested } }),
    };
  },
);

/** The variant that a format is; undefined for formats of other programs. */
export const fourBitOptions = (format: QuantFormat): Required<FourBitOptions> | undefined => formatOf.optionsOf(format);

/**
 * bitsandbytes' four bits: w = quant_map[code] · absmax of its block. Blocks are neighbours in the flat weight, across rows. With `doubleQuant`
 * absmax = nested_quant_map[code] · nested_absmax of 256 blocks + nested_offset.
 * @throws ConfigError for another type or block size
 * @see Dettmers et al. 2023 (QLoRA); bitsandbytes `functional.py` quantize_4bit
 */
export function fourBit({ quantType = "nf4", blocksize = 64, doubleQuant = false }: FourBitOptions = {}): QuantFormat {
  if (!Object.hasOwn(LEVELS, quantType))
    throw new ConfigError(`quantType is ${JSON.stringify(quantType)}, expected ${Object.keys(LEVELS).join(" or ")}`);
  if (!FOUR_BIT_BLOCKSIZES.includes(blocksize))
    throw new ConfigError(`blocksize is ${blocksize}, expected one of ${FOUR_BIT_BLOCKSIZES.join(", ")}`);
  return formatOf({ quantType, blocksize, doubleQuant });
}
