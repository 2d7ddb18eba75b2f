import type { TensorView } from "@weft/io-safetensors";
import { CapabilityError } from "@weft/tensor-core";
import { FOUR_BIT_BLOCKSIZES, fourBit, fourBitOptions, NESTED_BLOCKSIZE } from "../bitsandbytes/four-bit.js";
import { LLM_INT8 } from "../bitsandbytes/int8.js";
import type { FourBitType } from "../bitsandbytes/levels.js";
import { asFloats, bytesOf } from "../bytes.js";
import type { QuantizedWeight } from "../quant-format.js";
import { ModuleReader, type ModuleTensors, type QuantFiles } from "./quant-files.js";
import { decodeQuantState, encodeQuantState, torchName } from "./quant-state.js";

const STATE = "weight.quant_state.bitsandbytes__";
const TYPES: readonly FourBitType[] = ["nf4", "fp4"];
const f32 = (data: Uint8Array): TensorView => ({ dtype: "F32", shape: [data.byteLength / 4], data });

function readFourBit(reader: ModuleReader, quantType: FourBitType): QuantizedWeight {
  const name = `${STATE}${quantType}`;
  const { core, matrix, blocksize, ...state } = decodeQuantState(reader, name);
  if (state.quant_type !== quantType)
    throw reader.error(name, `has quant_type ${JSON.stringify(state.quant_type)}, expected "${quantType}"`);
  if (!FOUR_BIT_BLOCKSIZES.includes(blocksize))
    throw reader.error(name, `has blocksize ${JSON.stringify(blocksize)}, expected one of ${FOUR_BIT_BLOCKSIZES.join(", ")}`);
  const doubleQuant = state.nested_blocksize !== undefined;
  const format = fourBit({ quantType, blocksize, doubleQuant });
  const specs = format.parts(matrix);
  const weight = reader.take("weight").data; // of any dtype: `quant_storage`
  const bytes = specs.weight!.shape[0]!;
  // Storage in wider elements is filled up to whole ones.
  if (weight.byteLength < bytes || weight.byteLength >= bytes + 4)
    throw reader.error("weight", `has ${weight.byteLength} bytes, expected ${bytes} for [${matrix}]`);
  const take = (part: string, dtype: string): Uint8Array =>
    reader.take(`weight.${part}`, { dtype: [dtype], shape: specs[part]!.shape }).data;
  const common = {
    weight: weight.subarray(0, bytes),
    absmax: take("absmax", doubleQuant ? "U8" : "F32"),
    quant_map: take("quant_map", "F32"),
  };
  const parts = doubleQuant
    ? {
        ...common,
        nested_absmax: take("nested_absmax", "F32"),
        nested_quant_map: take("nested_quant_map", "F32"),
        nested_offset: bytesOf(Float32Array.of(state.nested_offset!)),
      }
    : common;
  return { format, shape: matrix, dtype: core, parts };
}

function writeFourBit({ format, shape, dtype, parts }: QuantizedWeight): ModuleTensors {
  const { quantType, blocksize, doubleQuant } = fourBitOptions(format)!;
  const state = encodeQuantState({
    quant_type: quantType,
    blocksize,
    dtype: torchName(dtype),
    shape,
    ...(doubleQuant && { nested_blocksize: NESTED_BLOCKSIZE, nested_dtype: "float32", nested_offset: asFloats(parts.nested_offset!)[0]! }),
  });
  return new Map<string, TensorView>([
    ["weight", { dtype: "U8", shape: [parts.weight!.byteLength, 1], data: parts.weight! }],
    ["weight.absmax", doubleQuant ? { dtype: "U8", shape: [parts.absmax!.byteLength], data: parts.absmax! } : f32(parts.absmax!)],
    ...(doubleQuant ? ([["weight.nested_absmax", f32(parts.nested_absmax!)]] as const) : []),
    ...(doubleQuant ? ([["weight.nested_quant_map", f32(parts.nested_quant_map!)]] as const) : []),
    ["weight.quant_map", f32(parts.quant_map!)],
    [`${STATE}${quantType}`, { dtype: "U8", shape: [state.byteLength], data: state }],
  ]);
}

function readInt8(reader: ModuleReader): QuantizedWeight {
  const { shape, data } = reader.take("weight", { dtype: ["I8"], shape: [undefined, undefined] });
  const [out, width] = shape as [number, number];
  const absmax = reader.take("SCB", { dtype: ["F32"], shape: [out] }).data;
  if (reader.has("weight_format")) {
    const format = reader.take("weight_format", { dtype: ["U8"], shape: [] }).data[0];
    if (format !== 0) throw reader.error("weight_format", `is ${format}, expected 0 (row-major)`);
  }
  return { format: LLM_INT8, shape: [out, width], dtype: "f16", parts: { codes: data, absmax } };
}

/**
 * What transformers writes with bitsandbytes: NF4, FP4 and LLM.int8.
 * @see bitsandbytes `functional.py` QuantState.as_dict, `nn/modules.py`; transformers `quantizers/quantizer_bnb_4bit.py`
 */
export const BITSANDBYTES: QuantFiles = {
  method: "bitsandbytes",
  matches: (tensors) => tensors.has("SCB") || TYPES.some((type) => tensors.has(`${STATE}${type}`)),
  read(tensors, options) {
    const reader = new ModuleReader(tensors, options);
    const type = TYPES.find((t) => reader.has(`${STATE}${t}`));
    return type ? readFourBit(reader, type) : readInt8(reader);
  },
  write(weight) {
    if (fourBitOptions(weight.format)) return writeFourBit(weight);
    if (weight.format !== LLM_INT8)
      throw new CapabilityError(`bitsandbytes has no ${weight.format.name}`, {
        kind: "unwritable-format",
        hint: "it has nf4, fp4 and int8",
      });
    const [out] = weight.shape;
    return new Map<string, TensorView>([
      ["weight", { dtype: "I8", shape: weight.shape, data: weight.parts.codes! }],
      ["SCB", { dtype: "F32", shape: [out], data: weight.parts.absmax! }],
      ["weight_format", { dtype: "U8", shape: [], data: Uint8Array.of(0) }],
    ]);
  },
  config(format, skipped) {
    const four = fourBitOptions(format);
    return {
      _load_in_4bit: four !== undefined,
      _load_in_8bit: four === undefined,
      bnb_4bit_compute_dtype: "float32",
      bnb_4bit_quant_storage: "uint8",
      bnb_4bit_quant_type: four?.quantType ?? "fp4",
      bnb_4bit_use_double_quant: four?.doubleQuant ?? false,
      llm_int8_enable_fp32_cpu_offload: false,
      llm_int8_has_fp16_weight: false,
      llm_int8_skip_modules: skipped ?? null,
      llm_int8_threshold: 6,
      load_in_4bit: four !== undefined,
      load_in_8bit: four === undefined,
      quant_method: "bitsandbytes",
    };
  },
};
