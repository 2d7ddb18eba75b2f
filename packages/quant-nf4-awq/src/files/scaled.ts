import { toCoreDType } from "@weft/io-safetensors";
import { CapabilityError, type MatrixShape } from "@weft/tensor-core";
import { scaled, type ScaledOptions, scaledOptions } from "../float/scaled.js";
import type { QuantFormat, QuantizedWeight } from "../quant-format.js";
import { ModuleReader, type ModuleTensors, type QuantFiles, tensorsOf } from "./quant-files.js";

/** DeepSeek's tiles, where the config names no others. */
const BLOCK = [128, 128];

/** Rows and columns that share a scale, by the scales' shape. */
function tilesOf(
  reader: ModuleReader,
  name: string,
  shape: readonly number[],
  [out, width]: MatrixShape,
  block: readonly number[],
): [rows: number, columns: number] {
  if (shape.every((n) => n === 1)) return [-1, -1];
  if (shape[0] === out && (shape.length === 1 || (shape.length === 2 && shape[1] === 1))) return [1, -1];
  const [rows, columns] = block as [number, number];
  if (shape.length === 2 && shape[0] === Math.ceil(out / rows) && shape[1] === Math.ceil(width / columns)) return [rows, columns];
  if (shape.length === 2 && shape[0] === out && width % shape[1]! === 0) return [1, width / shape[1]!];
  throw reader.error(
    name,
    `is [${shape}], expected one scale, [${out}], [${out},1], [${out},groups] or [${Math.ceil(out / rows)},${Math.ceil(width / columns)}]`,
  );
}

/** A weight of eight bits beside its scales. @param name of the scales @param block rows and columns of a tile, where there are tiles */
export function readScaled(reader: ModuleReader, name: string, block: readonly number[] = BLOCK): QuantizedWeight {
  const weight = reader.take("weight", { dtype: ["F8_E4M3", "F8_E5M2", "I8"], shape: [undefined, undefined] });
  const scale = reader.take(name, { dtype: ["F32", "F16", "BF16"] });
  for (const other of ["weight_zero_point", "weight_g_idx"])
    if (reader.has(other)) throw reader.error(other, "is not read beside a weight of eight bits");
  const shape = weight.shape as unknown as MatrixShape;
  const [rows, columns] = tilesOf(reader, name, scale.shape, shape, block);
  const codes = toCoreDType(weight.dtype) as NonNullable<ScaledOptions["codes"]>;
  const scaleDType = toCoreDType(scale.dtype) as NonNullable<ScaledOptions["scaleDType"]>;
  const format = scaled({ codes, scaleDType, rows, columns });
  return { format, shape, dtype: scaleDType === "f32" ? "bf16" : scaleDType, parts: { weight: weight.data, scale: scale.data } };
}

/** A weight of eight bits and its scales as tensors of a file. @param name of the scales */
export function scaledTensors(weight: QuantizedWeight, name: string): ModuleTensors {
  const tensors = tensorsOf(weight);
  const scale = tensors.get("scale")!;
  const one = scale.shape.every((n) => n === 1);
  return new Map([
    ["weight", tensors.get("weight")!],
    [name, { ...scale, shape: one ? [1] : scale.shape }],
  ]);
}

const refusal = (program: string, { name }: QuantFormat, hint: string): CapabilityError =>
  new CapabilityError(`${program} has no ${name}`, { kind: "unwritable-format", hint });

/** FP8 with a scale for each tile in `weight_scale_inv`, as DeepSeek and transformers write it. @see transformers `integrations/finegrained_fp8.py` */
export const FP8_FILES: QuantFiles = {
  method: "fp8",
  matches: (tensors) => tensors.has("weight_scale_inv"),
  read(tensors, options) {
    const size = options?.config?.weight_block_size;
    const valid = Array.isArray(size) && size.length === 2 && size.every((n) => Number.isInteger(n) && n > 0);
    return readScaled(new ModuleReader(tensors, options), "weight_scale_inv", valid ? (size as number[]) : BLOCK);
  },
  write(weight) {
    const { codes, rows = 0, columns = 0 } = scaledOptions(weight.format) ?? {};
    if (codes !== "f8e4m3" || rows < 1 || columns < 1)
      throw refusal("fine-grained FP8", weight.format, "it has scaled({ rows: 128, columns: 128 })");
    return scaledTensors(weight, "weight_scale_inv");
  },
  config(format, skipped) {
    const { rows, columns } = scaledOptions(format)!;
    return {
      quant_method: "fp8",
      activation_scheme: "dynamic",
      weight_block_size: [rows, columns],
      modules_to_not_convert: skipped ?? null,
    };
  },
};

/** FP8 with one scale in `scale_weight`, as ComfyUI has it in files of image and video models. @see ComfyUI `comfy/ops.py` */
export const COMFY_FP8_FILES: QuantFiles = {
  method: "scaled_fp8",
  matches: (tensors) => tensors.has("scale_weight"),
  read: (tensors, options) => readScaled(new ModuleReader(tensors, options), "scale_weight"),
  write(weight) {
    const { codes, rows } = scaledOptions(weight.format) ?? {};
    if (!codes || codes === "i8" || rows !== -1) throw refusal("ComfyUI", weight.format, "it has scaled({ rows: -1 })");
    return scaledTensors(weight, "scale_weight");
  },
};
