import {
  bitcast,
  ConfigError,
  decode,
  type DType,
  encode,
  type MatrixShape,
  mul,
  type Parts,
  position,
  reshape,
  roundTo,
  shiftRight,
  add,
  div,
  type Tensor,
} from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { flat, float, int, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { INT8_LEVELS, roundHalfToEven } from "../rounding.js";
import { type Variants, variants } from "../variants.js";

/** A variant of weights of eight bits with scales. */
export interface ScaledOptions {
  /** Default f8e4m3. */
  readonly codes?: "f8e4m3" | "f8e5m2" | "i8";
  /** Of the scales. Default f32. */
  readonly scaleDType?: "f32" | "f16" | "bf16";
  /** Rows that share a scale; -1 for all. Default 1. */
  readonly rows?: number;
  /** Columns that share a scale; -1 (default) for all. */
  readonly columns?: number;
}

/** The numbers of the 256 bytes. */
const f8Levels = (dtype: DType): Float32Array =>
  Float32Array.from(
    decode(
      Uint8Array.from({ length: 256 }, (_, i) => i),
      dtype,
    ),
  );
/** The largest number of each. */
const MOST = { f8e4m3: 448, f8e5m2: 57344, i8: 127 } as const;
const LEVELS = /* @__PURE__ */ (() => ({ f8e4m3: f8Levels("f8e4m3"), f8e5m2: f8Levels("f8e5m2"), i8: INT8_LEVELS }))();

/** Tiles along an axis. */
const tileCount = (size: number, tile: number): number => (tile < 0 ? 1 : Math.ceil(size / tile));
/** Which tile each place of an axis is in. */
const tileOf = (place: Tensor, tile: number): Tensor => {
  if (tile < 0) return mul(place, 0);
  return Number.isInteger(Math.log2(tile)) ? shiftRight(place, Math.log2(tile)) : div(place, tile);
};

function encodeTiles(
  values: Float32Array,
  [out, width]: MatrixShape,
  { codes, scaleDType, rows, columns }: Required<ScaledOptions>,
  largest: number | undefined,
): { readonly weight: Uint8Array; readonly scale: Uint8Array } {
  const [height, across] = [tileCount(out, rows), tileCount(width, columns)];
  const [tileHeight, tileWidth] = [rows < 0 ? out : rows, columns < 0 ? width : columns];
  const scales = new Float32Array(height * across);
  if (largest !== undefined) scales[0] = largest;
  for (let o = 0; o < out && largest === undefined; o++)
    for (let i = 0; i < width; i++) {
      const tile = Math.floor(o / tileHeight) * across + Math.floor(i / tileWidth);
      const magnitude = Math.abs(values[o * width + i]!);
      if (magnitude > scales[tile]!) scales[tile] = magnitude;
    }
  for (let t = 0; t < scales.length; t++) scales[t] = roundTo(scales[t]! / MOST[codes], scaleDType);
  const scaled = new Float32Array(values.length);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < width; i++) {
      const scale = scales[Math.floor(o / tileHeight) * across + Math.floor(i / tileWidth)]!;
      const x = scale === 0 ? 0 : values[o * width + i]! / scale;
      scaled[o * width + i] = Math.max(-MOST[codes], Math.min(MOST[codes], x));
    }
  const weight = codes === "i8" ? bytesOf(Int8Array.from(scaled, roundHalfToEven)) : encode(scaled, codes);
  return { weight, scale: encode(scales, scaleDType) };
}

const formatOf: Variants<Required<ScaledOptions>, QuantFormat> = variants((options: Required<ScaledOptions>): QuantFormat => {
  const { codes, scaleDType, rows, columns } = options;
  const size = (n: number): string => (n < 0 ? "all" : String(n));
  return {
    name: `${codes === "i8" ? "int8" : codes}-scaled-${size(rows)}x${size(columns)}`,
    bits: 8,
    levels: LEVELS[codes],
    block: 1,
    parts: ([out, width]) => ({
      weight: part([out, width], codes, 0),
      scale: part([tileCount(out, rows), tileCount(width, columns)], scaleDType as DType, ...(rows < 0 ? [] : ([0, 1, rows] as const))),
    }),
    codes: ({ weight }) => int(codes === "i8" ? weight! : bitcast(weight!, "u8")),
    decode({ weight, scale }, shape) {
      // One number for the weight, or for each row, is read where it lies.
      if (columns < 0 && (rows < 0 || rows === 1)) return mul(float(weight!), reshape(float(scale!), [-1, 1]));
      const { row, column } = position(shape);
      const tile = add(mul(tileOf(row, rows), tileCount(shape[1], columns)), tileOf(column, columns));
      return mul(float(weight!), float(flat(scale!, tile)));
    },
    ...(codes === "i8" &&
      rows === 1 && {
        affine: {
          bits: 8,
          group: columns,
          codes: ({ weight }: Parts) => add(int(weight!), 128),
          scales: ({ scale }: Parts) => float(scale!),
          zeros: 128,
        },
      }),
    ...(rows < 0 && columns < 0 && { readsLargest: true }),
    encode: (values, shape, largest) => encodeTiles(values, shape, options, largest),
  };
});

/** The variant that a format is. */
export const scaledOptions = (format: QuantFormat): Required<ScaledOptions> | undefined => formatOf.optionsOf(format);

/**
 * Eight bits with a scale for each tile of rows × columns: w = code · scale, scale = largest magnitude / 448 (f8e4m3), / 57344 (f8e5m2), / 127 (i8). By tile: a row
 * (rows 1, columns -1), the whole weight (-1, -1), DeepSeek's 128 × 128, groups of a row (1, 128).
 * @throws ConfigError for other codes or sizes of tiles
 */
export function scaled({ codes = "f8e4m3", scaleDType = "f32", rows = 1, columns = -1 }: ScaledOptions = {}): QuantFormat {
  if (!Object.hasOwn(MOST, codes)) throw new ConfigError(`codes is ${JSON.stringify(codes)}, expected ${Object.keys(MOST).join(", ")}`);
  for (const [name, tile] of Object.entries({ rows, columns }))
    if (tile !== -1 && !(Number.isInteger(tile) && tile > 0))
      throw new ConfigError(`${name} is ${tile}, expected a whole number, or -1 for all`);
  return formatOf({ codes, scaleDType, rows, columns });
}
