import { CapabilityError, FormatError } from "@weft/tensor-core";
import type { GgufFile } from "../gguf-file.js";
import type { GgufMetadata } from "../values.js";

/** transformers' class of an architecture, and what its config says beside the numbers. */
interface Family {
  readonly architecture: string;
  /** Biases of query, key and value projections. */
  readonly bias: boolean;
}

const FAMILIES: ReadonlyMap<string, Family> = new Map([
  ["llama", { architecture: "LlamaForCausalLM", bias: false }],
  ["qwen2", { architecture: "Qwen2ForCausalLM", bias: true }],
  ["qwen3", { architecture: "Qwen3ForCausalLM", bias: false }],
]);

/** Reads numbers of the metadata; errors name the key. */
class Metadata {
  constructor(
    private readonly metadata: GgufMetadata,
    private readonly file: string,
    private readonly architecture: string,
  ) {}

  optional(key: string): number | undefined {
    const value = this.metadata.get(key)?.value;
    return typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : undefined;
  }

  /** A number under the architecture's prefix. @throws FormatError kind `metadata` */
  number(key: string): number {
    const name = `${this.architecture}.${key}`;
    const value = this.optional(name);
    if (value === undefined)
      throw new FormatError(`${this.file}: metadata ${name} is missing or no number`, { kind: "key", file: this.file });
    return value;
  }
}

/** A number that was rounded to f32, with the digits that it has there. */
const fromF32 = (x: number): number => Number(x.toPrecision(7));

/**
 * `config.json` of transformers for a GGUF file.
 * @throws CapabilityError kind `unsupported-model` for architectures, and scaled rotary embeddings, that it does not follow from the file for; FormatError kind `key`
 * @see llama.cpp `convert_hf_to_gguf.py`; transformers `integrations/ggml.py`
 */
export function configOfGguf({ location, metadata, tensors }: GgufFile, dtype: string): { readonly [field: string]: unknown } {
  const architecture = String(metadata.get("general.architecture")?.value);
  const family = FAMILIES.get(architecture);
  const refuse = (what: string): CapabilityError =>
    new CapabilityError(`${location}: ${what}`, {
      kind: "unsupported-model",
      file: location,
      hint: "start from the checkpoint that the file was made of",
    });
  if (!family)
    throw refuse(`architecture ${architecture}, of which no config.json is written; there are ${[...FAMILIES.keys()].join(", ")}`);
  const scaling = metadata.get(`${architecture}.rope.scaling.type`)?.value;
  if (tensors.has("rope_freqs.weight") || (scaling !== undefined && scaling !== "none"))
    throw refuse("its rotary embedding is scaled, which no config.json is written of");
  const read = new Metadata(metadata, location, architecture);
  const [hidden, heads] = [read.number("embedding_length"), read.number("attention.head_count")];
  const bias = family.bias || tensors.has("blk.0.attn_q.bias");
  const token = (key: string): { readonly [field: string]: number } => {
    const id = read.optional(`tokenizer.ggml.${key}_token_id`);
    return id === undefined ? {} : { [`${key === "padding" ? "pad" : key}_token_id`]: id };
  };
  return {
    architectures: [family.architecture],
    ...(architecture === "llama" && { attention_bias: bias }),
    ...token("bos"),
    ...token("eos"),
    ...token("padding"),
    head_dim: read.optional(`${architecture}.attention.key_length`) ?? hidden / heads,
    hidden_act: "silu",
    hidden_size: hidden,
    intermediate_size: read.number("feed_forward_length"),
    max_position_embeddings: read.number("context_length"),
    model_type: architecture,
    num_attention_heads: heads,
    num_hidden_layers: read.number("block_count"),
    num_key_value_heads: read.optional(`${architecture}.attention.head_count_kv`) ?? heads,
    rms_norm_eps: fromF32(read.number("attention.layer_norm_rms_epsilon")),
    rope_theta: fromF32(read.optional(`${architecture}.rope.freq_base`) ?? 10000),
    tie_word_embeddings: !tensors.has("output.weight"),
    torch_dtype: dtype,
    vocab_size: tensors.get("token_embd.weight")?.shape[0] ?? read.number("vocab_size"),
  };
}
