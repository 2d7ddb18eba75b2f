import { type GgufFile, layoutGguf } from "@weft/io-gguf";
import { CapabilityError, sizeOf } from "@weft/tensor-core";
import type { Change } from "../changes/change.js";
import { checkPatches } from "../changes/whole-tensors.js";
import type { OutputPlan } from "../plan/layout.js";
import type { TensorJob } from "../plan/tensor-job.js";
import { type ValueBase, valuesFile } from "./value-base.js";

/**
 * The output of a merge into a GGUF file: a file with the same metadata and the same tensors, in their types and order.
 * @param changes by transformers' names
 * @throws CapabilityError kind `tied` for a tensor that the file does not have
 */
export function planGgufMerge(
  { location, metadata, tensors }: Pick<GgufFile, "location" | "metadata" | "tensors">,
  { packed }: Pick<ValueBase, "packed">,
  changes: ReadonlyMap<string, Change>,
): OutputPlan {
  const added = [...changes.keys()].find((name) => !packed.has(name));
  if (added !== undefined)
    throw new CapabilityError(`${added}: the file has no such tensor, and the adapter gives it values of its own`, {
      kind: "tied",
      tensor: added,
      file: location,
      hint: "--no-untie changes both of two tied embeddings; --dtype bf16 writes a checkpoint with both",
    });
  const layout = layoutGguf(
    metadata,
    [...tensors].map(([name, { type, shape }]) => ({ name, type, shape })),
  );
  const changed = new Map([...changes].map(([name, change]) => [packed.get(name)!.parts[0]!.located.name, { name, change }]));
  const items = layout.tensors.map(({ name, offset, bytes }): TensorJob => {
    const { file, offset: from } = tensors.get(name)!;
    const own = changed.get(name);
    const raw = { dtype: "U8", shape: [bytes] } as const;
    if (!own) return { name, shard: 0, offset, bytes, ...raw, source: { file, offset: from, bytes, ...raw }, steps: [], patches: [] };
    const { source, parts } = packed.get(own.name)!;
    const { steps, patches, replacement } = own.change;
    const like = valuesFile(own.name, source);
    const { shape } = source;
    checkPatches(own.name, shape[0] ?? 0, patches);
    const values = { dtype: "F32", shape, bytes: 4 * sizeOf(shape) } as const;
    return {
      name: own.name,
      shard: 0,
      offset: 0,
      ...values,
      source: replacement ?? { file: like, offset: 0, ...values },
      steps,
      patches,
      stored: { like, tensors: [{ name, offset, bytes, key: "", part: parts[0]!.written?.part }] },
    };
  });
  return {
    shards: [{ file: "model.gguf", layout }],
    items: items.sort((a, b) => b.bytes - a.bytes || a.offset - b.offset),
    index: undefined,
    bytes: layout.size,
  };
}
