import { isFloat } from "@weft/tensor-core";
import {
  type FileLayout,
  fromCoreDType,
  indexText,
  layoutFile,
  planShards,
  type Quantization,
  type SafetensorsDType,
  type ShardPlan,
  tensorBytes,
  type TensorEntry,
  toCoreDType,
  type WeightSource,
} from "@weft/io-safetensors";
import type { Change } from "../changes/change.js";
import type { ValueBase } from "../quantize/value-base.js";
import type { StoredPart, TensorJob, TensorLocation } from "./tensor-job.js";
import { checkPatches } from "../changes/whole-tensors.js";
import { fileName } from "../source/file-name.js";

/** A file before its data is written, of any format. */
export interface LaidOutFile extends Pick<FileLayout, "header" | "size"> {
  readonly tensors: readonly {
    readonly name: string;
    readonly offset: number;
    readonly bytes: number;
    /** Of safetensors, and of GGUF. */
    readonly dtype?: string;
    readonly type?: string;
    readonly shape: readonly number[];
  }[];
}

/** The files of an output before they are written. */
export interface OutputFiles {
  readonly shards: readonly { readonly file: string; readonly layout: LaidOutFile }[];
  /** Name and text of the index, if there is one. */
  readonly index: { readonly name: string; readonly text: string } | undefined;
  /** Bytes of all shards. */
  readonly bytes: number;
}

/** The output before it is written. */
export interface OutputPlan extends OutputFiles {
  /** In the order in which they are done: shard by shard, large ones first. */
  readonly items: readonly TensorJob[];
}

export interface LayoutOptions {
  readonly dtype: "f32" | "f16" | "bf16" | undefined;
  readonly maxShardSize: number | undefined;
  /** Of the base: codes and their scales keep their dtypes. */
  readonly quantization: Quantization;
  /** The base, where it has quantised weights that are stored so again. */
  readonly packed?: ValueBase["packed"] | undefined;
}

interface Planned extends TensorEntry {
  /** Of the base; undefined for a tensor that it does not have. */
  readonly file: string | undefined;
  readonly source: TensorLocation;
  readonly weight: TensorLocation | undefined;
  readonly change: Change | undefined;
  /** The weight that this is stored for, and the part of it; then `source` is the tensor that it stands in place of. */
  readonly of?: { readonly name: string; readonly key: string; readonly part: string | undefined };
}

/** Places every tensor of the output: in the base's files and under their names, or in new shards of at most a size. */
export function planOutput(
  base: WeightSource,
  names: readonly string[],
  changes: ReadonlyMap<string, Change>,
  options: LayoutOptions,
): OutputPlan {
  const groups = new Map(names.map((name) => [name, plannedTensors(base, name, changes, options)]));
  const tensors = [...groups.values()].flat();
  const shards = options.maxShardSize === undefined ? asInBase(base, tensors) : newShards(groups, options.maxShardSize);
  const byName = new Map(tensors.map((t) => [t.name, t]));
  const metadata = base.metadata.size > 0 ? base.metadata : new Map([["format", "pt"]]);
  const files = [...shards].map(([file, entries]) => ({ file, layout: layoutFile(entries, metadata) }));
  const items = files.flatMap(({ layout }, shard) => {
    const jobs = layout.tensors.flatMap(({ name, offset, bytes, dtype, shape }): TensorJob[] => {
      const { source, weight, change, of } = byName.get(name)!;
      if (of) return [];
      return [{ name, shard, offset, bytes, dtype, shape, source, weight, steps: change?.steps ?? [], patches: change?.patches ?? [] }];
    });
    return [...jobs, ...storedJobs(base, shard, layout, byName)].sort((a, b) => b.bytes - a.bytes || a.offset - b.offset);
  });
  return {
    shards: files,
    items,
    index: indexOf(base, shards, options.maxShardSize),
    bytes: files.reduce((sum, { layout }) => sum + layout.size, 0),
  };
}

/** The index of the output, where it is several files, or the base had one. */
export function indexOf(base: Pick<WeightSource, "location">, shards: ShardPlan, maxShardSize: number | undefined): OutputFiles["index"] {
  const indexed = base.location.endsWith(".index.json");
  if (shards.size <= 1 && !(maxShardSize === undefined && indexed)) return undefined;
  return { name: indexed ? fileName(base.location) : "model.safetensors.index.json", text: indexText(shards) };
}

/** A job for each quantised weight of a file that is stored anew. */
function storedJobs(base: WeightSource, shard: number, { tensors }: LaidOutFile, byName: ReadonlyMap<string, Planned>): TensorJob[] {
  const parts = new Map<string, { readonly planned: Planned; readonly stored: StoredPart }[]>();
  for (const { name, offset, bytes } of tensors) {
    const planned = byName.get(name)!;
    if (!planned.of) continue;
    const { name: weight, key, part } = planned.of;
    parts.set(weight, [...(parts.get(weight) ?? []), { planned, stored: { name, offset, bytes, key, part } }]);
  }
  return [...parts].map(([name, list]): TensorJob => {
    const { change, weight } = list[0]!.planned;
    const { file: like, dtype, shape, bytes } = base.info(name);
    const { steps, patches, replacement: source = base.info(name) } = change!;
    return {
      name,
      shard,
      offset: 0,
      bytes,
      dtype,
      shape,
      source,
      weight,
      steps,
      patches,
      stored: { like, tensors: list.map(({ stored }) => stored) },
    };
  });
}

/** What a tensor of the base becomes; of a quantised weight the tensors that it lies in. */
function plannedTensors(base: WeightSource, name: string, changes: ReadonlyMap<string, Change>, options: LayoutOptions): Planned[] {
  const packed = options.packed?.get(name);
  if (!packed) return [plannedTensor(base, name, changes, options)];
  const change = changes.get(name);
  // What is stored together lies in one file.
  const home = packed.parts[0]!.located.file;
  return packed.parts.map(({ key, located, written }): Planned => {
    const kept = { name: located.name, dtype: located.dtype, weight: undefined, source: located };
    if (!change || !written) return { ...kept, shape: located.shape, file: located.file, change: undefined };
    return { ...kept, shape: written.shape, file: home, change, of: { name, key, part: written.part } };
  });
}

/** New files; what a weight is stored in stays together. */
function newShards(groups: ReadonlyMap<string, readonly Planned[]>, maxShardSize: number): ReadonlyMap<string, readonly Planned[]> {
  const sized = [...groups].map(([name, list]): TensorEntry => {
    const [only, ...others] = list;
    return others.length === 0 ? { ...only!, name } : { name, dtype: "U8", shape: [list.reduce((sum, t) => sum + tensorBytes(t), 0)] };
  });
  return new Map([...planShards(sized, maxShardSize)].map(([file, entries]) => [file, entries.flatMap(({ name }) => groups.get(name)!)]));
}

function plannedTensor(
  base: WeightSource,
  name: string,
  changes: ReadonlyMap<string, Change>,
  { dtype, quantization }: LayoutOptions,
): Planned {
  const original = base.has(name) ? base.info(name) : undefined;
  const sourceOf = (tensor: string): TensorLocation => changes.get(tensor)?.replacement ?? base.info(tensor);
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
    file: original?.file,
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
  for (const name of base.names()) shards.set(fileName(base.info(name).file), []);
  const last = [...shards.keys()].sort().at(-1) ?? "model.safetensors";
  for (const tensor of tensors) {
    const file = tensor.file === undefined ? last : fileName(tensor.file);
    shards.set(file, [...(shards.get(file) ?? []), tensor]);
  }
  return new Map([...shards].filter(([, list]) => list.length > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}
