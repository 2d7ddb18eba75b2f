import { add, ConfigError, decode, div, encode, mul, position, shiftRight } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { largestOf } from "../largest-of.js";
import { flat, flatPosition, float, nibbleAt, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { type Variants, variants } from "../variants.js";
import { E2M1, roundE2m1 } from "./e2m1.js";

/** A variant of NVFP4. */
export interface Nvfp4Options {
  /** `divide` (compressed-tensors, default): w = e2m1 · (scale / global). `multiply` (ModelOpt): e2m1 · (scale · global). */
  readonly global?: "divide" | "multiply";
}

const { fround } = Math;
/** The largest e4m3 and e2m1 numbers. */
const [MOST_SCALE, MOST_CODE] = [448, 6];

const formatOf: Variants<Required<Nvfp4Options>, QuantFormat> = variants(({ global }: Required<Nvfp4Options>): QuantFormat => ({
  name: `nvfp4${global === "divide" ? "" : "-modelopt"}`,
  bits: 4,
  levels: E2M1,
  block: 16,
  parts: ([out, width]) => ({
    weight_packed: part([out, width / 2], "u8", 0),
    weight_scale: part([out, width / 16], "f8e4m3", 0),
    weight_global_scale: part([1], "f32"),
    levels: part([16], "f32"),
  }),
  codes: ({ weight_packed: packed }, shape) => nibbleAt(packed!, flatPosition(shape), "low"),
  decode({ weight_packed: packed, weight_scale: scales, weight_global_scale: whole, levels }, shape) {
    const { row, column } = position(shape);
    const scale = float(flat(scales!, add(mul(row, shape[1] / 16), shiftRight(column, 4))));
    return mul(flat(levels!, nibbleAt(packed!, flatPosition(shape), "low")), (global === "divide" ? div : mul)(scale, whole!));
  },
  readsLargest: true,
  encode(values, _, most = largestOf(values)) {
    const factor = most === 0 ? 1 : fround((MOST_SCALE * MOST_CODE) / most);
    const blocks = values.length / 16;
    const wanted = new Float32Array(blocks);
    for (let b = 0; b < blocks; b++) {
      let max = 0;
      for (let i = 16 * b; i < 16 * (b + 1); i++) max = Math.max(max, Math.abs(values[i]!));
      wanted[b] = Math.min(MOST_SCALE, (max / MOST_CODE) * factor);
    }
    const scales = encode(wanted, "f8e4m3");
    const rounded = decode(scales, "f8e4m3");
    const packed = new Uint8Array(values.length / 2);
    for (let b = 0; b < blocks; b++) {
      const inverse = rounded[b] === 0 ? 0 : factor / rounded[b]!;
      for (let i = 16 * b; i < 16 * (b + 1); i += 2)
        packed[i >> 1] = roundE2m1(values[i]! * inverse) | (roundE2m1(values[i + 1]! * inverse) << 4);
    }
    const whole = Float32Array.of(global === "divide" ? factor : 1 / factor);
    return { weight_packed: packed, weight_scale: scales, weight_global_scale: bytesOf(whole), levels: bytesOf(E2M1) };
  },
}));

/** The variant that a format is. */
export const nvfp4Options = (format: QuantFormat): Required<Nvfp4Options> | undefined => formatOf.optionsOf(format);

/**
 * NVFP4: e2m1 of the code, an e4m3 scale for every 16 columns, a scale in f32 for all.
 * @throws ConfigError for another `global`
 * @see compressed-tensors `compressors/nvfp4`; ModelOpt `torch/quantization/qtensor/nvfp4_tensor.py`
 */
export function nvfp4({ global = "divide" }: Nvfp4Options = {}): QuantFormat {
  if (global !== "divide" && global !== "multiply")
    throw new ConfigError(`global is ${JSON.stringify(global)}, expected divide or multiply`);
  return formatOf({ global });
}
