import { add, bitAnd, bitOr, ConfigError, mul, shiftLeft, shiftRight, type Tensor } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { f16Array } from "../f16.js";
import { flat, float, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { type Variants, variants } from "../variants.js";
import { bitsAt } from "./bits-at.js";
import { roundAwq } from "./grids.js";
import { groupCount, type IntegerFormat, integerFormat } from "./integer-format.js";
import { holdsF16 } from "./holds-f16.js";
import { packWords } from "./pack-words.js";

/** A variant of AWQ's layouts. */
export interface AwqOptions {
  /** Columns that share a scale; -1 for all of a row. Default 128. */
  readonly groupSize?: number;
  /** `gemm` (default) is written by AutoAWQ; `gemv` is read only. */
  readonly version?: "gemm" | "gemv";
}

/** Which output of eight lies in nibble 0 … 7. */
const ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

const gemm = (groupSize: number): IntegerFormat => {
  /** The nibble of output `row` in line `line` of words [lines, out / 8]. */
  const nibble = (words: Tensor, out: number, line: Tensor, row: Tensor): Tensor => {
    const place = bitOr(shiftLeft(bitAnd(row, 1), 2), bitAnd(shiftRight(row, 1), 3));
    return bitAnd(shiftRight(flat(words, add(mul(line, out / 8), shiftRight(row, 3))), shiftLeft(place, 2)), 15);
  };
  return integerFormat({
    name: `awq-g${groupSize}`,
    bits: 4,
    groupSize,
    block: groupSize < 0 ? 1 : groupSize,
    parts: ([out, width]) => ({
      qweight: part([width, out / 8], "i32", 1, 1, 8),
      qzeros: part([groupCount(groupSize, width), out / 8], "i32", 1, 1, 8),
      scales: part([groupCount(groupSize, width), out], "f16", 1),
    }),
    code: ({ qweight }, [out], row, column) => nibble(qweight!, out, column, row),
    zero: ({ qzeros }, [out], row, group) => nibble(qzeros!, out, group, row),
    scale: ({ scales }, [out], row, group) => float(flat(scales!, add(mul(group, out), row))),
    fits: ({ shape, scales }) => shape[0] % 8 === 0 && holdsF16(scales),
    pack({ shape: [out, width], codes, zeros, scales }) {
      const lines = zeros.length / out;
      const ordered = (k: number): number => (k & ~7) + ORDER[k & 7]!;
      return {
        qweight: packWords((i, k) => codes[ordered(k) * width + i]!, [width, out / 8], "columns", 4),
        qzeros: packWords((g, k) => zeros[g * out + ordered(k)]!, [lines, out / 8], "columns", 4),
        scales: bytesOf(f16Array(scales, "awq")),
      };
    },
    round: roundAwq,
  });
};

/** Words of zero points in a row of `gemv`: filled up for the kernels of small groups. */
function gemvWords(groupSize: number, width: number): number {
  const multiple = groupSize >= 128 || groupSize < 0 ? 1 : groupSize === 64 ? 2 : 4;
  return Math.ceil(Math.ceil(groupCount(groupSize, width) / 8) / multiple) * multiple;
}

const gemv = (groupSize: number): IntegerFormat =>
  integerFormat({
    name: `awq-gemv-g${groupSize}`,
    bits: 4,
    groupSize,
    block: 8,
    parts: ([out, width]) => ({
      qweight: part([out, width / 8], "i32", 0),
      qzeros: part([out, gemvWords(groupSize, width)], "i32", 0),
      scales: part([out, 8 * gemvWords(groupSize, width)], "f16", 0),
    }),
    code: ({ qweight }, [, width], row, column) => bitsAt((n) => flat(qweight!, add(mul(row, width / 8), n)), column, 4),
    zero: ({ qzeros }, [, width], row, group) => bitsAt((n) => flat(qzeros!, add(mul(row, gemvWords(groupSize, width)), n)), group, 4),
    scale: ({ scales }, [, width], row, group) => float(flat(scales!, add(mul(row, 8 * gemvWords(groupSize, width)), group))),
  });

const formatOf: Variants<Required<AwqOptions>, IntegerFormat> = variants(({ groupSize, version }: Required<AwqOptions>): IntegerFormat =>
  (version === "gemm" ? gemm : gemv)(groupSize),
);

/** The variant that a format is; undefined for formats of other programs. */
export const awqOptions = (format: QuantFormat): Required<AwqOptions> | undefined => formatOf.optionsOf(format);

/**
 * AWQ: w = (code - zero) · scale, four bits, a scale in f16 and a zero point for each group of inputs. Outputs are a multiple of 8, inputs of the group.
 * Quantising without data rounds to the nearest; what the activations say about the weight is found by the search for scales, before.
 * @throws ConfigError for another group size or version
 * @see Lin et al. 2023 (AWQ); AutoAWQ `modules/linear/gemm.py`, `gemv.py`
 */
export function awq({ groupSize = 128, version = "gemm" }: AwqOptions = {}): IntegerFormat {
  if (groupSize !== -1 && !(Number.isInteger(groupSize) && groupSize > 0 && groupSize % 8 === 0))
    throw new ConfigError(`groupSize is ${groupSize}, expected a multiple of 8, or -1 for whole rows`);
  if (version !== "gemm" && version !== "gemv") throw new ConfigError(`version is ${JSON.stringify(version)}, expected gemm or gemv`);
  return formatOf({ groupSize, version });
}
