import { createHash } from "node:crypto";
import { basename } from "node:path";
import { isFloat } from "@weft/tensor-core";
import {
  type FileLayout,
  fromCoreDType,
  indexText,
  layoutFile,
  planShards,
  type Quantization,
  type SafetensorsDType,
  type TensorEntry,
  toCoreDType,
  type WeightSource,
} from "@weft/io-safetensors";
import { hashFile, openFileBytes } from "@weft/io-safetensors/node";
import type { Change } from "../changes/changes.js";
import type { Item, Stored } from "./item.js";
import { checkPatches } from "../changes/whole-tensors.js";

/** The output before it is written. */
export interface OutputPlan {
  readonly shards: readonly { readonly file: string; readonly layout: FileLayout }[];
  /** In the order in which they are done: shard by shard, large ones first. */
  readonly items: readonly Item[];
  /** Name and text of the index, if there is one. */
  readonly index: { readonly name: string; readonly text: string } | undefined;
  /** Bytes of all shards. */
  readonly bytes: number;
}

export interface LayoutOptions {
  readonly dtype: "f32" | "f16" | "bf16" | undefined;
  readonly maxShardSize: number | undefined;
  /** Of the base: codes and their scales keep their dtypes. */
  readonly quantization: Quantization;
}

interface Planned extends TensorEntry {
  readonly source: Stored;
  readonly weight: Stored | undefined;
  readonly change: Change | undefined;
}

/** Places every tensor of the output: in the base's files and under their names, or in new shards of at most a size. */
export function planOutput(
  base: WeightSource,
  names: readonly string[],
  changes: ReadonlyMap<string, Change>,
  options: LayoutOptions,
): OutputPlan {
  const tensors = names.map((name) => plannedTensor(base, name, changes, options));
  const shards = options.maxShardSize === undefined ? asInBase(base, tensors) : planShards(tensors, options.maxShardSize);
  const byName = new Map(tensors.map((t) => [t.name, t]));
  const metadata = base.metadata.size > 0 ? base.metadata : new Map([["format", "pt"]]);
  const files = [...shards].map(([file, entries]) => ({ file, layout: layoutFile(entries, metadata) }));
  const items = files.flatMap(({ layout }, shard) =>
    layout.tensors
      .map(({ name, offset, bytes, dtype, shape }): Item => {
        const { source, weight, change } = byName.get(name)!;
        return { name, shard, offset, bytes, dtype, shape, source, weight, steps: change?.steps ?? [], patches: change?.patches ?? [] };
      })
      .sort((a, b) => b.bytes - a.bytes || a.offset - b.offset),
  );
  const sharded = shards.size > 1 || (options.maxShardSize === undefined && base.location.endsWith(".index.json"));
  const name = base.location.endsWith(".index.json") ? basename(base.location) : "model.safetensors.index.json";
  return {
    shards: files,
    items,
    index: sharded ? { name, text: indexText(shards) } : undefined,
    bytes: files.reduce((sum, { layout }) => sum + layout.size, 0),
  };
}

function plannedTensor(
  base: WeightSource,
  name: string,
  changes: ReadonlyMap<string, Change>,
  { dtype, quantization }: LayoutOptions,
): Planned {
  const original = base.has(name) ? base.info(name) : undefined;
  const sourceOf = (tensor: string): Stored => changes.get(tensor)?.replacement ?? base.info(tensor);
  const change = changes.get(name);
  const source = sourceOf(name);
  const weight = change?.weight === undefined ? undefined : sourceOf(change.weight);
  // What replaces a tensor of the base takes its dtype, as a module that PEFT loads into the model does.
  const natural = original?.dtype ?? source.dtype;
  checkPatches(name, source.shape[0] ?? 0, change?.patches ?? []);
  return {
    name,
    dtype: isQuantized(quantization, name) ? natural : outputDType(natural, dtype),
    shape: source.shape,
    source,
    weight,
    change,
  };
}

const FLOATS = new Set<SafetensorsDType>(["F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"]);

/** True for codes and what lies beside them. */
function isQuantized({ weights }: Quantization, name: string): boolean {
  if (weights.size === 0) return false;
  for (const path of prefixes(name)) if (weights.has(path)) return !name.endsWith(".bias");
  return [...ENDINGS].some((ending) => name.endsWith(ending) && weights.has(name.slice(0, -ending.length)));
}

/** `a.b.c`: a.b.c, a.b, a. */
function* prefixes(name: string): Iterable<string> {
  for (let at = name.length; at > 0; at = name.lastIndexOf(".", at - 1)) yield name.slice(0, at);
}

/** Of MXFP4's parameters. */
const ENDINGS = ["_blocks", "_scales"];

function outputDType(natural: SafetensorsDType, wanted: LayoutOptions["dtype"]): SafetensorsDType {
  const core = toCoreDType(natural);
  return wanted && core && isFloat(core) && FLOATS.has(natural) ? fromCoreDType(wanted) : natural;
}

/** The base's own files; a tensor that it does not have goes into the last one. */
function asInBase(base: WeightSource, tensors: readonly Planned[]): Map<string, Planned[]> {
  const shards = new Map<string, Planned[]>();
  for (const name of base.names()) shards.set(basename(base.info(name).file), []);
  const last = [...shards.keys()].sort().at(-1) ?? "model.safetensors";
  for (const tensor of tensors) {
    const file = base.has(tensor.name) ? basename(base.info(tensor.name).file) : last;
    shards.set(file, [...(shards.get(file) ?? []), tensor]);
  }
  return new Map([...shards].filter(([, list]) => list.length > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** SHA-256 over the header and the tensors' hashes in file order: the identity of a shard, found without reading it again. */
export function shardDigest(header: Uint8Array, { tensors }: FileLayout, hashes: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256").update(header);
  for (const { name } of tensors) hash.update(hashes.get(name)!, "hex");
  return hash.digest("hex");
}

/** The `shardDigest` of a file that should have this layout. */
export async function fileDigest(path: string, layout: FileLayout): Promise<string> {
  const hashes = new Map<string, string>();
  for (const { name, offset, bytes } of layout.tensors) hashes.set(name, await hashFile(path, offset, bytes));
  const file = openFileBytes(path);
  try {
    const header = new Uint8Array(layout.header.byteLength);
    file.readInto(header, 0);
    return shardDigest(header, layout, hashes);
  } finally {
    await file.close();
  }
}
