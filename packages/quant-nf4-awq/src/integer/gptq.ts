import { add, bitAnd, CapabilityError, ConfigError, mul, type Parts, ShapeError, type Tensor } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { f16Array } from "../f16.js";
import { flat, float, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { type Variants, variants } from "../variants.js";
import { bitsAt, type IntegerBits } from "./bits-at.js";
import { roundGptq } from "./grids.js";
import { holdsF16 } from "./holds-f16.js";
import { groupCount, type IntegerFormat, integerFormat } from "./integer-format.js";
import { packWords } from "./pack-words.js";

/** A variant of GPTQ's layout. */
export interface GptqOptions {
  /** 2, 3, 4 (default) or 8. */
  readonly bits?: IntegerBits;
  /** Columns that share a scale; -1 for all of a row. Default 128. */
  readonly groupSize?: number;
  /** `gptq` (v1, what most programs read; default) stores zero points less one, `gptq_v2` as they are. */
  readonly checkpointFormat?: "gptq" | "gptq_v2";
  /** Scales about 0, zero point in the middle. Default true. What is read holds its zero points. */
  readonly sym?: boolean;
  /**
   * The groups are neighbours, `g_idx` is ⌊column / groupSize⌋ (without act-order), so that nothing looks it up. Default false: `g_idx` says. Whoever reads a file
   * finds out.
   */
  readonly inOrder?: boolean;
}

/** 1 in every integer of a word, where words hold whole integers. */
const ONES: Readonly<Record<IntegerBits, number | undefined>> = { 2: 0x55555555, 3: undefined, 4: 0x11111111, 8: 0x01010101 };

const formatOf: Variants<Required<GptqOptions>, IntegerFormat> = variants(
  ({ bits, groupSize, checkpointFormat, sym, inOrder }: Required<GptqOptions>): IntegerFormat => {
    const v1 = checkpointFormat === "gptq";
    const ones = v1 ? ONES[bits] : undefined;
    /** What v1 has taken from the whole word is added to it again, so that a zero point of 0 comes out right. */
    const corrected = (word: Tensor): Tensor => (ones === undefined ? word : add(word, ones));
    return integerFormat({
      name: `gptq${v1 ? "" : "-v2"}-${bits}bit-g${groupSize}${sym ? "" : "-asym"}`,
      bits,
      groupSize,
      block: bits === 3 ? 32 : 32 / bits,
      parts: ([out, width]) => ({
        qweight: part([(width * bits) / 32, out], "i32", 1),
        qzeros: part([groupCount(groupSize, width), (out * bits) / 32], "i32", 1, bits, 32),
        scales: part([groupCount(groupSize, width), out], "f16", 1),
        g_idx: part([width], "i32"),
      }),
      code: ({ qweight }, [out], row, column) => bitsAt((n) => flat(qweight!, add(mul(n, out), row)), column, bits),
      ...(!inOrder && { group: ({ g_idx }: Parts, column: Tensor) => flat(g_idx!, column) }),
      zero({ qzeros }, [out], row, group) {
        const start = mul(group, (out * bits) / 32);
        const stored = bitsAt((n) => corrected(flat(qzeros!, add(start, n))), row, bits);
        // Integers of three bits lie across words: v1 has taken 1 from each by itself.
        return v1 && ones === undefined ? bitAnd(add(stored, 1), 2 ** bits - 1) : stored;
      },
      scale: ({ scales }, [out], row, group) => float(flat(scales!, add(mul(group, out), row))),
      fits: ({ shape, zeros, scales }) =>
        (shape[0] * bits) % 32 === 0 && (shape[1] * bits) % 32 === 0 && holdsF16(scales) && !(v1 && zeros.includes(0)),
      pack({ shape: [out, width], codes, zeros, scales, groups }) {
        if ((out * bits) % 32 !== 0 || (width * bits) % 32 !== 0)
          throw new ShapeError(
            `gptq: [${out}, ${width}] does not fill words of 32 bits with integers of ${bits} bits: both sizes must be multiples of ${bits === 3 ? 32 : 32 / bits}`,
            {
              hint: "keep this weight in 16 bits",
            },
          );
        if (v1 && zeros.includes(0))
          throw new CapabilityError("a zero point is 0, which checkpoint_format gptq (v1) stores as what programs read in different ways", {
            kind: "unwritable-format",
            hint: "take checkpointFormat gptq_v2",
          });
        const lines = zeros.length / out;
        const stored = (zero: number): number => (v1 ? zero - 1 : zero) & (2 ** bits - 1);
        return {
          qweight: packWords((o, k) => codes[o * width + k]!, [(width * bits) / 32, out], "lines", bits),
          qzeros: packWords((g, k) => stored(zeros[g * out + k]!), [lines, (out * bits) / 32], "columns", bits),
          scales: bytesOf(f16Array(scales, "gptq")),
          g_idx: bytesOf(groups),
        };
      },
      round: roundGptq(bits, sym),
    });
  },
);
/** The variant that a format is; undefined for formats of other programs. */
export const gptqOptions = (format: QuantFormat): Required<GptqOptions> | undefined => formatOf.optionsOf(format);

/**
 * GPTQ's layout: w = (code - zero) · scale of the group `g_idx[column]`. Quantising without data rounds to the nearest.
 * @throws ConfigError for other bits, group sizes or checkpoint formats
 * @see Frantar et al. 2022 (GPTQ); AutoGPTQ `nn_modules/qlinear`, GPTQModel `quantization/config.py` (v2)
 */
export function gptq({
  bits = 4,
  groupSize = 128,
  checkpointFormat = "gptq",
  sym = true,
  inOrder = false,
}: GptqOptions = {}): IntegerFormat {
  if (!Object.hasOwn(ONES, bits)) throw new ConfigError(`bits is ${bits}, expected 2, 3, 4 or 8`);
  if (groupSize !== -1 && !(Number.isInteger(groupSize) && groupSize > 0))
    throw new ConfigError(`groupSize is ${groupSize}, expected a whole number, or -1 for whole rows`);
  if (checkpointFormat !== "gptq" && checkpointFormat !== "gptq_v2")
    throw new ConfigError(`checkpointFormat is ${JSON.stringify(checkpointFormat)}, expected gptq or gptq_v2`);
  return formatOf({ bits, groupSize, checkpointFormat, sym, inOrder });
}
