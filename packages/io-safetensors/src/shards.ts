import { FormatError } from "@weft/tensor-core";
import { compareCodePoints, tensorBytes, type TensorEntry } from "./encode-header.js";
import { show } from "./format-error.js";

/** Tensors by file. */
export type ShardPlan = ReadonlyMap<string, readonly TensorEntry[]>;

/** "5GB" or "1.5 GB" (powers of ten, as huggingface_hub reads it) in bytes. @throws FormatError kind `config-value` */
export function parseShardSize(size: string | number): number {
  const match = typeof size === "number" ? undefined : /^(\d+\.?\d*|\.\d+)\s*([KMGT]B)$/i.exec(size.trim());
  const bytes = match ? Math.floor(Number(match[1]) * 1000 ** " KMGT".indexOf(match[2]![0]!.toUpperCase())) : Number(size);
  // A number that is no size, or a text without a unit.
  if (!(bytes > 0) || (typeof size === "string" && !match))
    throw new FormatError(`shard size ${show(String(size))}: expected a positive number of bytes, or one with KB, MB, GB or TB`, {
      kind: "config-value",
    });
  return bytes;
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

/** As Python's `json.dumps` spells a string: ASCII only. */
function quoteAscii(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The text of `model.safetensors.index.json`, as transformers writes it; without `total_parameters`, which is a number of the model, not of its tensors. */
export function indexText(shards: ShardPlan): string {
  const map = [...shards]
    .flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file] as const))
    .sort(([a], [b]) => compareCodePoints(a, b));
  const total = [...shards.values()].flat().reduce((sum, t) => sum + tensorBytes(t), 0);
  const lines = map.map(([name, file]) => `    ${quoteAscii(name)}: ${quoteAscii(file)}`);
  return `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}\n`;
}
