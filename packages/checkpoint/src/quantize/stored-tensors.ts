import { fromCoreDType, type TensorEntry } from "@weft/io-safetensors";
import { bytesPerElement, sizeOf } from "@weft/tensor-core";
import type { PartBytes } from "@weft/quant-nf4-awq";
import { type EncodeTo, matrixOf } from "./encode-job.js";
import type { RowSource } from "./row-source.js";
import { formatOf, targetOf } from "./targets.js";

/** A tensor that values become in a file of safetensors. */
export interface StoredTensor extends TensorEntry {
  readonly key: string;
  readonly part?: string;
}

/** What of a text of JSON that is made at the end may be longer than planned: the digits of a number. */
const SPARE = 20;

/** The tensors that a quantised weight of a module will lie in, known before any value of it is. */
function quantizedTensors(path: string, shape: readonly [number, number], to: Extract<EncodeTo, { kind: "quantized" }>): StoredTensor[] {
  const format = formatOf(to.target);
  const parts: PartBytes = Object.fromEntries(
    Object.entries(format.parts(shape)).map(([name, spec]) => [name, new Uint8Array(sizeOf(spec.shape) * bytesPerElement(spec.dtype))]),
  );
  const byBytes = new Map(Object.entries(parts).map(([name, bytes]) => [bytes, name]));
  const tensors = targetOf(to.target).files.write!({ format, shape, dtype: to.dtype, parts });
  return [...tensors].map(([key, { dtype, shape: own, data }]) => {
    const part = byBytes.get(data);
    const open = part === undefined && to.target.doubleQuant === true;
    return { name: `${path}.${key}`, key, dtype, shape: open ? [own[0]! + SPARE] : own, ...(part !== undefined && { part }) };
  });
}

const known = new Map<string, readonly StoredTensor[]>();

/** The tensors that values become. @throws ShapeError for rows that a format does not divide */
export function storedTensors(name: string, source: RowSource, to: EncodeTo): StoredTensor[] {
  if (to.kind === "copy" || to.kind === "ggml") return [{ name, key: "", dtype: source.dtype, shape: source.shape }];
  if (to.kind === "cast") return [{ name, key: "", dtype: fromCoreDType(to.dtype), shape: source.shape }];
  const path = name.slice(0, -".weight".length);
  const shape = matrixOf(source);
  // Layers of one kind are many.
  const kind = JSON.stringify([shape, to]);
  const tensors = known.get(kind) ?? quantizedTensors("", shape, to);
  known.set(kind, tensors);
  return tensors.map((tensor) => ({ ...tensor, name: path + tensor.name }));
}
