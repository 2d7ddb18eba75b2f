import { layoutFile, planShards, type ShardPlan, type TensorEntry, type WeightSource } from "@weft/io-safetensors";
import { tensorBytes } from "@weft/io-safetensors";
import { indexOf, type OutputFiles } from "../plan/layout.js";
import { fileName } from "../source/file-name.js";
import type { EncodeJob, EncodeTo } from "./encode-job.js";
import type { RowSource } from "./row-source.js";
import { storedTensors } from "./stored-tensors.js";

/** Values and what is to become of them. */
export interface Wanted {
  /** Name of the tensor, as if it were not quantised. */
  readonly name: string;
  readonly source: RowSource;
  readonly to: EncodeTo;
}

/** An output whose tensors are encoded. */
export interface EncodePlan extends OutputFiles {
  readonly jobs: readonly EncodeJob[];
}

/** Names and files of a base, as those of the output follow from them. */
export type PlannedBase = Pick<WeightSource, "location" | "metadata" | "has" | "info">;

/** Places what is wanted in files of safetensors: those of the base, or new ones of at most a size. @throws ShapeError naming the weight that a format does not fit */
export function planEncode(base: PlannedBase, wanted: readonly Wanted[], maxShardSize: number | undefined): EncodePlan {
  const stored = wanted.map((one) => ({ ...one, tensors: storedTensors(one.name, one.source, one.to) }));
  const groups = new Map<string, typeof stored>();
  if (maxShardSize === undefined)
    for (const one of stored) {
      const file = base.has(one.name) ? fileName(base.info(one.name).file) : "model.safetensors";
      const named = file.endsWith(".safetensors") ? file : "model.safetensors";
      groups.set(named, [...(groups.get(named) ?? []), one]);
    }
  else {
    // What belongs to a module stays together.
    const sized = stored.map(({ name, tensors }): TensorEntry => ({
      name,
      dtype: "U8",
      shape: [tensors.reduce((sum, t) => sum + tensorBytes(t), 0)],
    }));
    const byName = new Map(stored.map((one) => [one.name, one]));
    for (const [file, entries] of planShards(sized, maxShardSize))
      groups.set(
        file,
        entries.map(({ name }) => byName.get(name)!),
      );
  }
  const files = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  const shards: ShardPlan = new Map(files.map(([file, list]) => [file, list.flatMap(({ tensors }) => tensors)]));
  const metadata = base.metadata.size > 0 ? base.metadata : new Map([["format", "pt"]]);
  const laidOut = files.map(([file]) => ({ file, layout: layoutFile(shards.get(file)!, metadata) }));
  const jobs = files.flatMap(([, list], shard): EncodeJob[] => {
    const places = new Map(laidOut[shard]!.layout.tensors.map((tensor) => [tensor.name, tensor]));
    return list
      .map(({ name, source, to, tensors }): EncodeJob => {
        const placed = tensors.map(({ name: own, key, part }) => ({
          name: own,
          key,
          part,
          offset: places.get(own)!.offset,
          bytes: places.get(own)!.bytes,
        }));
        return { name, shard, source, to, tensors: placed, bytes: placed.reduce((sum, { bytes }) => sum + bytes, 0) };
      })
      .sort((a, b) => b.bytes - a.bytes);
  });
  return {
    shards: laidOut,
    jobs,
    index: indexOf(base, shards, maxShardSize),
    bytes: laidOut.reduce((sum, { layout }) => sum + layout.size, 0),
  };
}
