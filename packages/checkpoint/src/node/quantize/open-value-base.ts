import { findQuantization, type WeightSource } from "@weft/io-safetensors";
import type { GgufFile } from "@weft/io-gguf";
import { GGUF_TYPES } from "@weft/quant-nf4-awq";
import { ggufSources } from "../../quantize/gguf-sources.js";
import { WeftError } from "@weft/tensor-core";
import type { ModelConfig } from "../../changes/tied.js";
import { tensorsOfKind } from "../../quantize/stored-tensors.js";
import { type BasePart, type PackedValues, valueBase, type ValueBase } from "../../quantize/value-base.js";
import type { FileSet } from "../file-set.js";
import { type UnpackedWeight, unpackedSources } from "./packed-sources.js";
import { RowReader } from "./row-reader.js";

/** Views a checkpoint of safetensors as values; undefined where nothing in it is quantised. */
export async function openValueBase(weights: WeightSource, model: ModelConfig | undefined, files: FileSet): Promise<ValueBase | undefined> {
  const quantization = findQuantization(weights, model);
  if (quantization.weights.size === 0) return undefined;
  const unpacked = await unpackedSources(weights, quantization, model);
  const packed = new Map([...unpacked.weights].map(([name, weight]) => [name, packedValues(name, weight)]));
  return valueBase(weights, packed, unpacked.unread, readRows(files));
}

/** Views a GGUF file as values, all of its tensors under transformers' names. @throws as `ggufSources` */
export function viewGguf(file: GgufFile, files: FileSet): ValueBase {
  const packed = new Map(
    ggufSources(file).map(({ name, source, stored }): [string, PackedValues] => {
      const { file: at, offset, bytes } = source.at;
      const located = { name: stored, file: at, offset, bytes, dtype: "U8" as const, shape: [bytes] };
      const part = source.ggml && { part: "bytes" };
      const readOnly = source.ggml && !GGUF_TYPES[source.ggml].encode ? `${source.ggml} is read, not written` : undefined;
      return [
        name,
        {
          source,
          format: source.ggml ?? source.dtype,
          parts: [{ key: "", located, written: { shape: [bytes], ...part } }],
          unwritable: readOnly,
        },
      ];
    }),
  );
  return valueBase(
    emptySource(file.location, () => file.close()),
    packed,
    new Map(),
    readRows(files),
  );
}

/** A source without tensors. */
const emptySource = (location: string, close: () => Promise<void>): WeightSource => {
  const none = (): never => {
    throw new Error("a GGUF file has no tensors of safetensors");
  };
  return { location, metadata: new Map(), warnings: [], names: () => [], has: () => false, info: none, read: none, close };
};

/** Reads rows of values for what is looked at before jobs are made. */
const readRows =
  (files: FileSet): ((...args: Parameters<RowReader["read"]>) => Promise<Float32Array>) =>
  async (...args) => {
    const reader = new RowReader(files);
    try {
      return await reader.read(...args);
    } finally {
      await reader.close();
    }
  };

function packedValues(name: string, { source, format, files, kind, tensors }: UnpackedWeight): PackedValues {
  const unwritable = !kind.format.encode || !files.write ? `${kind.format.name} is read, not written` : undefined;
  const bare = (): BasePart[] => [...tensors].map(([key, located]) => ({ key, located }));
  if (unwritable !== undefined) return { source, format, parts: bare(), unwritable };
  try {
    const made = new Map(tensorsOfKind(files, kind).map((tensor) => [tensor.key, tensor]));
    const parts = [...tensors].map(([key, located]): BasePart => {
      const tensor = made.get(key);
      if (!tensor) return { key, located };
      const { part } = tensor;
      // What is made at the end may be longer than what is there.
      const grows = part === undefined && tensor.dtype === "U8" && tensor.shape.length === 1;
      return { key, located, written: { shape: grows ? [Math.max(located.shape[0]!, tensor.shape[0]!)] : located.shape, part } };
    });
    return { source, format, parts };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return { source, format, parts: bare(), unwritable: `${name}: ${error.message}` };
  }
}
