import { fromCoreDType, type TensorEntry } from "@weft/io-safetensors";
import { bytesPerElement, sizeOf } from "@weft/tensor-core";
import type { PartBytes, QuantFiles, QuantizedWeight } from "@weft/quant-nf4-awq";
import { type EncodeTo, matrixOf } from "./encode-job.js";
import type { RowSource } from "./row-source.js";
import { formatOf, targetOf } from "./targets.js";

/** A tensor that values become in a file of safetensors. */
export interface StoredTensor extends TensorEntry {
  readonly key: string;
  readonly part?: string;
}

/** What of a weight is known before any value of it is. */
export type WeightKind = Pick<QuantizedWeight, "format" | "shape" | "dtype">;

/** What of a text of JSON that is made at the end may be longer than planned: the digits of a number. */
const SPARE = 20;

/** The tensors that a quantised weight will lie in, under their names behind the module's path, known before any value of it is. */
export function tensorsOfKind(files: QuantFiles, { format, shape, dtype: kept }: WeightKind): StoredTensor[] {
  const parts: PartBytes = Object.fromEntries(
    Object.entries(format.parts(shape)).map(([name, spec]) => [name, new Uint8Array(sizeOf(spec.shape) * bytesPerElement(spec.dtype))]),
  );
  const byBytes = new Map(Object.entries(parts).map(([name, bytes]) => [bytes, name]));
  const tensors = files.write!({ format, shape, dtype: kept, parts });
  return [...tensors].map(([key, { dtype, shape: own, data }]) => {
    const part = byBytes.get(data);
    // Scales that are quantised themselves have a mean, which is written in digits.
    const open = part === undefined && format.packs !== undefined && dtype === "U8";
    return { name: key, key, dtype, shape: open ? [own[0]! + SPARE] : own, ...(part !== undefined && { part }) };
  });
}

const known = new Map<string, readonly StoredTensor[]>();

/** The tensors that values become. @throws ShapeError for rows that a format does not divide */
export function storedTensors(name: string, source: RowSource, to: EncodeTo): StoredTensor[] {
  if (to.kind === "copy" || to.kind === "ggml") return [{ name, key: "", dtype: source.dtype, shape: source.shape }];
  if (to.kind === "cast") return [{ name, key: "", dtype: fromCoreDType(to.dtype), shape: source.shape }];
  const path = name.slice(0, -".weight".length);
  if (to.kind === "made") return to.tensors.map(({ key, dtype, shape }) => ({ name: `${path}.${key}`, key, dtype, shape }));
  const shape = matrixOf(source);
  // Layers of one kind are many.
  const kind = JSON.stringify([shape, to]);
  const tensors = known.get(kind) ?? tensorsOfKind(targetOf(to.target).files, { format: formatOf(to.target), shape, dtype: to.dtype });
  known.set(kind, tensors);
  return tensors.map((tensor) => ({ ...tensor, name: `${path}.${tensor.name}` }));
}
