import { FormatError } from "@weft/tensor-core";
import { tensorBytes, type TensorEntry } from "./encode-header.js";

/** Tensors by file. */
export type ShardPlan = ReadonlyMap<string, readonly TensorEntry[]>;

/** "5GB" (powers of ten, as huggingface_hub reads it) in bytes. @throws FormatError kind `config-value` */
export function parseShardSize(size: string | number): number {
  if (typeof size === "number") return size;
  const match = /^(\d+)([KMGT]?)B$/i.exec(size.trim());
  if (!match)
    throw new FormatError(`shard size ${JSON.stringify(size)}: expected a number with KB, MB, GB or TB`, { kind: "config-value" });
  return Number(match[1]) * 1000 ** " KMGT".indexOf((match[2] || " ").toUpperCase());
}

/**
 * Cuts tensors into files as huggingface_hub does: in their order, a new file when the next tensor would not fit; a tensor larger than the
 * limit gets a file of its own. One file is called `model.safetensors`, several `model-00001-of-0000N.safetensors`.
 * @see huggingface_hub `serialization/_base.py` split_state_dict_into_shards_factory
 */
export function planShards(tensors: Iterable<TensorEntry>, maxShardSize: string | number = "5GB", stem = "model"): ShardPlan {
  const limit = parseShardSize(maxShardSize);
  const shards: TensorEntry[][] = [];
  let open: TensorEntry[] = [];
  let size = 0;
  const close = (): void => {
    if (open.length > 0) shards.push(open);
    open = [];
    size = 0;
  };
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor);
    if (bytes > limit) {
      shards.push([tensor]);
      continue;
    }
    if (size + bytes > limit) close();
    open.push(tensor);
    size += bytes;
  }
  close();
  if (shards.length <= 1) return new Map([[`${stem}.safetensors`, shards[0] ?? []]]);
  const digits = (n: number): string => String(n).padStart(5, "0");
  return new Map(shards.map((shard, i) => [`${stem}-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`, shard]));
}

/** The text of `model.safetensors.index.json`, as transformers writes it. */
export function indexText(shards: ShardPlan): string {
  const map = [...shards]
    .flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file] as const))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const total = [...shards.values()].flat().reduce((sum, t) => sum + tensorBytes(t), 0);
  const lines = map.map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`);
  return `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}\n`;
}
