import type { GgufType, QuantFormat } from "@weft/quant-nf4-awq";
import { GGUF_TYPES, RowEncoder } from "@weft/quant-nf4-awq";
import { toCoreDType } from "@weft/io-safetensors";
import type { WeightDType } from "../plan/plan-merge.js";
import type { StoredPart, TensorLocation } from "../plan/tensor-job.js";
import { type RowSource, widthOf } from "./row-source.js";
import { formatOf, type QuantTarget } from "./targets.js";

/** How values are stored: as they are, as numbers of a dtype, as a type of GGUF files (by what each input counts), as a quantised weight of safetensors; or one that was made already. */
export type EncodeTo =
  | { readonly kind: "copy" }
  | { readonly kind: "cast"; readonly dtype: WeightDType }
  | { readonly kind: "ggml"; readonly type: GgufType; readonly importance?: Float32Array }
  | { readonly kind: "quantized"; readonly target: QuantTarget; readonly dtype: WeightDType }
  | { readonly kind: "made"; readonly tensors: readonly MadeTensor[] };

/** A tensor of a quantised weight that lies in a file as it is to be. */
export interface MadeTensor extends TensorLocation {
  /** Its name behind the module's path. */
  readonly key: string;
}

/** Values and the tensors of the output that they become. Plain data. */
export interface EncodeJob {
  /** What messages call it. */
  readonly name: string;
  /** Index of the output file. */
  readonly shard: number;
  /** Of all its tensors. */
  readonly bytes: number;
  readonly source: RowSource;
  readonly to: EncodeTo;
  readonly tensors: readonly StoredPart[];
}

/** Bytes of values in f32 that are computed at a time. */
const TILE_BYTES = 1 << 20;
/** Bytes that a value of a tile takes at most while it is encoded: as it is stored, in f32, scaled, and its codes. */
const PER_VALUE = 20;

/** The format that values are encoded in; undefined for numbers. */
export function encoderFormat(to: EncodeTo): QuantFormat | undefined {
  if (to.kind === "ggml") return GGUF_TYPES[to.type];
  return to.kind === "quantized" ? formatOf(to.target) : undefined;
}

/** [rows, width] of the values: what has one axis is one row, of heads one column. */
export function matrixOf({ shape, heads }: Pick<RowSource, "shape" | "heads">): readonly [number, number] {
  if (shape.length > 1) return [shape[0]!, widthOf({ shape })];
  const size = shape[0] ?? 1;
  return heads ? [size, 1] : [1, size];
}

/** Rows that are computed at a time. @param together a multiple that they must be */
export function tileRows([rows, width]: readonly [number, number], together: number): number {
  const wanted = Math.floor(TILE_BYTES / (4 * Math.max(1, width)) / together) * together;
  return Math.min(Math.max(rows, 1), Math.max(together, wanted));
}

/** Bytes that a thread holds at most while it encodes. */
export function encodeBytes({ source, to }: EncodeJob, together: number): number {
  if (to.kind === "copy" || to.kind === "made") return 2 * TILE_BYTES;
  const shape = matrixOf(source);
  const format = encoderFormat(to);
  const packed = source.packed ? Object.values(source.packed.tensors).reduce((sum, { bytes }) => sum + bytes, 0) : 0;
  const kept = format ? RowEncoder.keptBytes(format, shape) : 0;
  // Whole, as `RowReader` reads it.
  const whole = source.turned && (source.packed || source.ggml) ? 4 * shape[0] * shape[1] : 0;
  return packed + whole + kept + PER_VALUE * tileRows(shape, together) * shape[1];
}

/** The dtype that values are rounded to where a format keeps it. */
export function keptDType({ dtype }: RowSource): WeightDType {
  const core = toCoreDType(dtype);
  return core === "f16" || core === "bf16" ? core : "f32";
}
