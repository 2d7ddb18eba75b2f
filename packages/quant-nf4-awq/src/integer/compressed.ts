import { add, ConfigError, encode, full, mul, roundTo } from "@weft/tensor-core";
import { flat, float, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { type Variants, variants } from "../variants.js";
import { bitsAt } from "./bits-at.js";
import { roundCompressed } from "./grids.js";
import { groupCount, type IntegerFormat, integerFormat } from "./integer-format.js";
import { packWords } from "./pack-words.js";

/** A variant of compressed-tensors' `pack-quantized`. */
export interface PackQuantizedOptions {
  /** 4 (default) or 8. */
  readonly bits?: 4 | 8;
  /** Columns that share a scale; -1 (`channel`) for all of a row. Default 128. */
  readonly groupSize?: number;
  /** Without zero points; default true. */
  readonly symmetric?: boolean;
  /** Of the scales; default bf16. */
  readonly scaleDType?: "f32" | "f16" | "bf16";
}

const formatOf: Variants<Required<PackQuantizedOptions>, IntegerFormat> = variants(
  ({ bits, groupSize, symmetric, scaleDType }: Required<PackQuantizedOptions>): IntegerFormat => {
    const perWord = 32 / bits;
    const middle = 2 ** (bits - 1);
    return integerFormat({
      name: `pack-quantized-${bits}bit-g${groupSize}${symmetric ? "" : "-asym"}`,
      bits,
      groupSize,
      block: 1,
      parts: ([out, width]) => ({
        weight_packed: part([out, Math.ceil(width / perWord)], "i32", 0),
        weight_scale: part([out, groupCount(groupSize, width)], scaleDType, 0),
        ...(!symmetric && { weight_zero_point: part([Math.ceil(out / perWord), groupCount(groupSize, width)], "i32", 0, 1, perWord) }),
      }),
      code: ({ weight_packed: packed }, [, width], row, column) =>
        bitsAt((n) => flat(packed!, add(mul(row, Math.ceil(width / perWord)), n)), column, bits),
      zero({ weight_zero_point: zeros }, [, width], row, group) {
        const groups = groupCount(groupSize, width);
        return symmetric ? full([], middle, "i32") : bitsAt((n) => flat(zeros!, add(mul(n, groups), group)), row, bits);
      },
      scale: ({ weight_scale: scale }, [, width], row, group) => float(flat(scale!, add(mul(row, groupCount(groupSize, width)), group))),
      fits: ({ zeros, scales }) => (!symmetric || zeros.every((z) => z === middle)) && scales.every((s) => roundTo(s, scaleDType) === s),
      pack({ shape: [out, width], codes, zeros, scales }) {
        const groups = zeros.length / out;
        const byRow = Float32Array.from(scales, (_, i) => scales[(i % groups) * out + Math.floor(i / groups)]!);
        return {
          weight_packed: packWords((o, k) => (k < width ? codes[o * width + k]! : 0), [out, Math.ceil(width / perWord)], "columns", bits),
          weight_scale: encode(byRow, scaleDType),
          ...(!symmetric && {
            weight_zero_point: packWords((g, k) => (k < out ? zeros[g * out + k]! : 0), [Math.ceil(out / perWord), groups], "lines", bits),
          }),
        };
      },
      round: roundCompressed(bits, symmetric, scaleDType),
    });
  },
);

/** The variant that a format is; undefined for formats of other programs. */
export const packQuantizedOptions = (format: QuantFormat): Required<PackQuantizedOptions> | undefined => formatOf.optionsOf(format);

/**
 * compressed-tensors' integers of four or eight bits: w = (code - zero) · scale; without zero points zero is the middle, 8 or 128.
 * @throws ConfigError for other bits or group sizes
 * @see compressed-tensors `compressors/pack_quantized/base.py`
 */
export function packQuantized({
  bits = 4,
  groupSize = 128,
  symmetric = true,
  scaleDType = "bf16",
}: PackQuantizedOptions = {}): IntegerFormat {
  if (bits !== 4 && bits !== 8) throw new ConfigError(`bits is ${String(bits)}, expected 4 or 8`);
  if (groupSize !== -1 && !(Number.isInteger(groupSize) && groupSize > 0))
    throw new ConfigError(`groupSize is ${groupSize}, expected a whole number, or -1 for whole rows`);
  return formatOf({ bits, groupSize, symmetric, scaleDType });
}
