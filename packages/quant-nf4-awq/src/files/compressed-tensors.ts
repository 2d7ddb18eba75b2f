import { type TensorView, toCoreDType } from "@weft/io-safetensors";
import { CapabilityError, type MatrixShape } from "@weft/tensor-core";
import { nvfp4, nvfp4Options } from "../float/nvfp4.js";
import { E2M1 } from "../float/e2m1.js";
import { bytesOf } from "../bytes.js";
import { packQuantized, packQuantizedOptions } from "../integer/compressed.js";
import { scaledOptions } from "../float/scaled.js";
import type { QuantFormat, QuantizedWeight } from "../quant-format.js";
import { ModuleReader, type QuantFiles, tensorsOf } from "./quant-files.js";
import { readScaled, scaledTensors } from "./scaled.js";

const SCALES = ["F32", "F16", "BF16"];

function readPacked(reader: ModuleReader): QuantizedWeight {
  const [out, width] = reader.matrix("weight_shape");
  const words = reader.take("weight_packed", { dtype: ["I32"], shape: [out, undefined] }).shape[1]!;
  const bits = [4, 8].find((b) => Math.ceil((width * b) / 32) === words) as 4 | 8 | undefined;
  if (!bits)
    throw reader.error(
      "weight_packed",
      `has ${words} words a row, expected ${Math.ceil(width / 8)} or ${Math.ceil(width / 4)} for ${width} integers of 4 or 8 bits`,
    );
  if (reader.has("weight_g_idx")) throw reader.error("weight_g_idx", "puts columns in an order of its own, which is not read");
  const scale = reader.take("weight_scale", { dtype: SCALES, shape: [out, undefined] });
  const groups = scale.shape[1]!;
  const scaleDType = toCoreDType(scale.dtype) as "f32" | "f16" | "bf16";
  const format = packQuantized({
    bits,
    groupSize: groups <= 1 ? -1 : Math.ceil(width / groups),
    symmetric: !reader.has("weight_zero_point"),
    scaleDType,
  });
  return { format, shape: [out, width], dtype: scaleDType, parts: reader.parts(format, [out, width]) };
}

function readNvfp4(reader: ModuleReader): QuantizedWeight {
  const [out, half] = reader.take("weight_packed", { dtype: ["U8"], shape: [undefined, undefined] }).shape as [number, number];
  const format = nvfp4();
  const shape: MatrixShape = [out, 2 * half];
  return { format, shape, dtype: "f32", parts: { ...reader.parts(format, shape, ["levels"]), levels: bytesOf(E2M1) } };
}

const int64 = (values: readonly number[]): Uint8Array => bytesOf(BigInt64Array.from(values, BigInt));

/** compressed-tensors' name of a format, and its description of the weights; undefined for formats of other programs. */
function schemeOf(format: QuantFormat): { readonly format: string; readonly weights: { readonly [field: string]: unknown } } | undefined {
  const common = { dynamic: false, observer: "minmax", actorder: null, block_structure: null };
  const integers = packQuantizedOptions(format);
  if (integers) {
    const { bits, groupSize, symmetric } = integers;
    const grouped = groupSize < 0 ? { strategy: "channel", group_size: null } : { strategy: "group", group_size: groupSize };
    return { format: "pack-quantized", weights: { num_bits: bits, type: "int", symmetric, ...grouped, ...common } };
  }
  if (nvfp4Options(format)?.global === "divide")
    return {
      format: "nvfp4-pack-quantized",
      weights: { num_bits: 4, type: "float", symmetric: true, strategy: "tensor_group", group_size: 16, ...common },
    };
  const tiles = scaledOptions(format);
  if (!tiles || tiles.codes === "f8e5m2" || (tiles.rows > 1 && tiles.columns < 0)) return undefined;
  const integer = tiles.codes === "i8";
  const strategy = tiles.columns < 0 ? (tiles.rows < 0 ? "tensor" : "channel") : tiles.rows === 1 ? "group" : "block";
  return {
    format: integer ? "int-quantized" : "float-quantized",
    weights: {
      num_bits: 8,
      type: integer ? "int" : "float",
      symmetric: true,
      strategy,
      group_size: strategy === "group" ? tiles.columns : null,
      ...(strategy === "block" && { block_structure: [tiles.rows, tiles.columns] }),
      ...common,
    },
  };
}

const refusal = (format: QuantFormat): CapabilityError =>
  new CapabilityError(`compressed-tensors has no ${format.name}`, {
    kind: "unwritable-format",
    hint: "it has packQuantized(), scaled() and nvfp4()",
  });

/** compressed-tensors: `pack-quantized`, `int-quantized`, `float-quantized`, `nvfp4-pack-quantized`. @see compressed-tensors `compressors/` */
export const COMPRESSED_TENSORS: QuantFiles = {
  method: "compressed-tensors",
  matches: (tensors, config) =>
    tensors.has("weight_packed") || (tensors.has("weight_scale") && config?.quant_method === "compressed-tensors"),
  read(tensors, options) {
    const reader = new ModuleReader(tensors, options);
    if (!reader.has("weight_packed")) return readScaled(reader, "weight_scale");
    return reader.has("weight_global_scale") ? readNvfp4(reader) : readPacked(reader);
  },
  write(weight) {
    const { format, shape } = weight;
    if (!schemeOf(format)) throw refusal(format);
    if (scaledOptions(format)) return scaledTensors(weight, "weight_scale");
    const tensors = new Map<string, TensorView>(tensorsOf(weight));
    tensors.delete("levels"); // they stand in the standard, not in files
    if (packQuantizedOptions(format)) tensors.set("weight_shape", { dtype: "I64", shape: [2], data: int64(shape) });
    return tensors;
  },
  config(format, skipped = []) {
    const scheme = schemeOf(format);
    if (!scheme) throw refusal(format);
    return {
      quant_method: "compressed-tensors",
      format: scheme.format,
      quantization_status: "compressed",
      config_groups: { group_0: { targets: ["Linear"], weights: scheme.weights, input_activations: null, output_activations: null } },
      ignore: skipped,
    };
  },
};
