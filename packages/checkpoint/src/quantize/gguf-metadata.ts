import type { GgufMetadata, GgufValue } from "@weft/io-gguf";
import { CapabilityError, ConfigError } from "@weft/tensor-core";
import type { ModelConfig } from "../changes/tied.js";
import type { GgufTargetName } from "../names.js";
import { fileTypeOf } from "./gguf-mixtures.js";

/** `general.architecture` of a `model_type`. */
const ARCHITECTURES: ReadonlyMap<unknown, string> = new Map([
  ["llama", "llama"],
  ["mistral", "llama"],
  ["qwen2", "qwen2"],
  ["qwen3", "qwen3"],
]);

/** The architecture that GGUF files have a model under. @throws CapabilityError kind `unsupported-model` */
export function architectureOf(model: ModelConfig, file: string): string {
  const found = ARCHITECTURES.get(model.model_type);
  const refuse = (what: string): CapabilityError =>
    new CapabilityError(`${file}: ${what}`, { kind: "unsupported-model", file, hint: "llama.cpp's convert_hf_to_gguf.py writes it" });
  if (found === undefined)
    throw refuse(
      `models of type ${JSON.stringify(model.model_type)} are not written as GGUF; there are ${[...ARCHITECTURES.keys()].join(", ")}`,
    );
  const scaling = (model.rope_scaling ?? model.rope_parameters) as { readonly [field: string]: unknown } | null | undefined;
  const type = scaling?.rope_type ?? scaling?.type ?? "default";
  if (type !== "default") throw refuse(`its rotary embedding is scaled (${JSON.stringify(type)}), which is not written as GGUF`);
  return found;
}

const u32 = (value: number): GgufValue => ({ type: "u32", value });
const f32 = (value: number): GgufValue => ({ type: "f32", value });
const text = (value: string): GgufValue => ({ type: "string", value });

/**
 * Metadata of a model, without its tokenizer.
 * @throws CapabilityError as `architectureOf`; ConfigError kind `config-schema` for a number that is not there
 * @see llama.cpp `convert_hf_to_gguf.py` set_gguf_parameters
 */
export function modelMetadata(model: ModelConfig, file: string, name: string, to: GgufTargetName): GgufMetadata {
  const architecture = architectureOf(model, file);
  const number = (...keys: string[]): number => {
    const key = keys.find((k) => typeof model[k] === "number");
    if (key === undefined) throw new ConfigError(`${file}: ${keys.join(" or ")} is missing or no number`, { kind: "config-schema", file });
    return model[key] as number;
  };
  const heads = number("num_attention_heads");
  const rope = model.rope_parameters as { readonly rope_theta?: number } | null | undefined;
  const headDim = typeof model.head_dim === "number" ? model.head_dim : number("hidden_size") / heads;
  return new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("model")],
    ["general.name", text(name)],
    [`${architecture}.block_count`, u32(number("num_hidden_layers"))],
    [`${architecture}.context_length`, u32(number("max_position_embeddings"))],
    [`${architecture}.embedding_length`, u32(number("hidden_size"))],
    [`${architecture}.feed_forward_length`, u32(number("intermediate_size"))],
    [`${architecture}.attention.head_count`, u32(heads)],
    [`${architecture}.attention.head_count_kv`, u32(typeof model.num_key_value_heads === "number" ? model.num_key_value_heads : heads)],
    [`${architecture}.rope.freq_base`, f32(rope?.rope_theta ?? (typeof model.rope_theta === "number" ? model.rope_theta : 10000))],
    [`${architecture}.attention.layer_norm_rms_epsilon`, f32(number("rms_norm_eps"))],
    ...(typeof model.head_dim === "number"
      ? ([
          [`${architecture}.attention.key_length`, u32(headDim)],
          [`${architecture}.attention.value_length`, u32(headDim)],
        ] as const)
      : []),
    ["general.file_type", u32(fileTypeOf(to))],
    [`${architecture}.vocab_size`, u32(number("vocab_size"))],
    [`${architecture}.rope.dimension_count`, u32(headDim)],
    ["general.quantization_version", u32(2)],
  ]);
}
