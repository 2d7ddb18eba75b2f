import { type GgufFile, tensorNames } from "@weft/io-gguf";
import type { SafetensorsDType } from "@weft/io-safetensors";
import { GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import { CapabilityError } from "@weft/tensor-core";
import type { RowSource } from "./row-source.js";

/** Types that are numbers. */
const PLAIN: ReadonlyMap<string, SafetensorsDType> = new Map([
  ["F32", "F32"],
  ["F16", "F16"],
  ["BF16", "BF16"],
]);
/** Tensors that a checkpoint of transformers does not have. */
const OWN = new Set(["rope_freqs.weight"]);

/** The tensors of a GGUF file as values, under the names and in the order of rows of transformers' checkpoint. @throws CapabilityError kinds `unsupported-model`, `unsupported-dtype` */
export function ggufSources({ location, metadata, tensors }: GgufFile): { readonly name: string; readonly source: RowSource }[] {
  const architecture = String(metadata.get("general.architecture")?.value);
  const names = tensorNames(architecture);
  const heads = (key: string): number => Number(metadata.get(`${architecture}.attention.${key}`)?.value);
  const count = { "q-heads": heads("head_count"), "k-heads": heads("head_count_kv") || heads("head_count") };
  return [...tensors].flatMap(([name, { file, offset, bytes, type, shape }]) => {
    if (OWN.has(name)) return [];
    const named = names.toHf(name);
    const refuse = (what: string, kind: "unsupported-model" | "unsupported-dtype"): CapabilityError =>
      new CapabilityError(`${name}: ${what}`, { kind, tensor: name, file: location });
    if (!named) throw refuse(`a checkpoint of ${architecture} has no such tensor`, "unsupported-model");
    if (!PLAIN.has(type) && !Object.hasOwn(GGUF_TYPES, type)) throw refuse(`its type ${type} is not read`, "unsupported-dtype");
    const { placement } = named;
    if (placement === "transposed") throw refuse(`${architecture} is not converted`, "unsupported-model");
    const source: RowSource = {
      shape,
      dtype: PLAIN.get(type) ?? "F32",
      at: { file, offset, bytes },
      ...(!PLAIN.has(type) && { ggml: type as GgufType }),
      ...(placement && { heads: { count: count[placement], to: "hf" as const } }),
    };
    return [{ name: named.name, source }];
  });
}
