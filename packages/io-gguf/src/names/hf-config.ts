import { CapabilityError, decode, FormatError } from "@weft/tensor-core";
import type { GgufFile } from "../gguf-file.js";
import type { GgufMetadata } from "../values.js";

type Json = { readonly [field: string]: unknown };

/** How the `config.json` of an architecture follows from metadata. */
interface Family {
  /** transformers' class. */
  readonly architecture: string;
  config(read: Metadata, file: GgufFile): Json | Promise<Json>;
}

const FAMILIES: ReadonlyMap<string, Family> = new Map<string, Family>([
  ["llama", { architecture: "LlamaForCausalLM", config: decoder }],
  ["qwen2", { architecture: "Qwen2ForCausalLM", config: decoder }],
  ["qwen3", { architecture: "Qwen3ForCausalLM", config: decoder }],
  ["gpt2", { architecture: "GPT2LMHeadModel", config: gpt2 }],
  ["bert", { architecture: "BertModel", config: bert }],
]);

/** Reads numbers of the metadata; errors name the key. */
class Metadata {
  constructor(
    private readonly metadata: GgufMetadata,
    private readonly file: string,
    readonly architecture: string,
  ) {}

  optional(key: string): number | undefined {
    const value = this.metadata.get(key)?.value;
    return typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : undefined;
  }

  /** A number under the architecture's prefix, if it is there. */
  own(key: string): number | undefined {
    return this.optional(`${this.architecture}.${key}`);
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

const refusal = (location: string, what: string): CapabilityError =>
  new CapabilityError(`${location}: ${what}`, {
    kind: "unsupported-model",
    file: location,
    hint: "start from the checkpoint that the file was made of",
  });

/** Rows of the embedding. */
const vocabulary = (read: Metadata, { tensors }: GgufFile): number =>
  tensors.get("token_embd.weight")?.shape[0] ?? read.number("vocab_size");

/** Llama, Mistral, Qwen2, Qwen3. */
async function decoder(read: Metadata, file: GgufFile): Promise<Json> {
  const { tensors } = file;
  const [hidden, heads] = [read.number("embedding_length"), read.number("attention.head_count")];
  const scaling = await ropeScaling(read, file);
  return {
    ...(read.architecture === "llama" && { attention_bias: tensors.has("blk.0.attn_q.bias") }),
    head_dim: read.own("attention.key_length") ?? hidden / heads,
    hidden_act: "silu",
    hidden_size: hidden,
    intermediate_size: read.number("feed_forward_length"),
    max_position_embeddings: read.number("context_length"),
    num_attention_heads: heads,
    num_hidden_layers: read.number("block_count"),
    num_key_value_heads: read.own("attention.head_count_kv") ?? heads,
    rms_norm_eps: fromF32(read.number("attention.layer_norm_rms_epsilon")),
    ...(scaling && { rope_scaling: scaling }),
    rope_theta: fromF32(read.own("rope.freq_base") ?? 10000),
    tie_word_embeddings: !tensors.has("output.weight"),
    vocab_size: vocabulary(read, file),
  };
}

/**
 * How rotary frequencies are scaled. Where the file has what each is divided by (`rope_freqs.weight`, of Llama 3.1 and later), that is transformers' longrope with the same
 * numbers at every length.
 * @see llama.cpp `convert_hf_to_gguf.py` generate_extra_tensors, `ggml-cpu` ggml_rope_yarn
 */
async function ropeScaling(read: Metadata, file: GgufFile): Promise<Json | undefined> {
  const type = file.metadata.get(`${read.architecture}.rope.scaling.type`)?.value ?? "none";
  const original = read.own("rope.scaling.original_context_length") ?? read.number("context_length");
  const refuse = (): CapabilityError =>
    refusal(file.location, `its rotary embedding is scaled (${String(type)}) in a way of which no config.json is written`);
  if (file.tensors.has("rope_freqs.weight")) {
    const { type: stored, data } = await file.read("rope_freqs.weight");
    if (type !== "none" || stored !== "F32") throw refuse();
    const factors = Array.from(decode(data, "f32"), fromF32);
    return {
      rope_type: "longrope",
      factor: 1,
      attention_factor: 1,
      original_max_position_embeddings: original,
      short_factor: factors,
      long_factor: factors,
    };
  }
  if (type === "none") return undefined;
  const factor = fromF32(read.number("rope.scaling.factor"));
  if (type === "linear") return { rope_type: "linear", factor };
  if (type !== "yarn") throw refuse();
  const [attention, fast, slow] = ["attn_factor", "yarn_beta_fast", "yarn_beta_slow"].map((key) => read.own(`rope.scaling.${key}`));
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: original,
    ...(attention !== undefined && { attention_factor: fromF32(attention) * (0.1 * Math.log(factor) + 1) }),
    ...(fast !== undefined && { beta_fast: fromF32(fast) }),
    ...(slow !== undefined && { beta_slow: fromF32(slow) }),
  };
}

function gpt2(read: Metadata, file: GgufFile): Json {
  return {
    layer_norm_epsilon: fromF32(read.number("attention.layer_norm_epsilon")),
    n_embd: read.number("embedding_length"),
    n_head: read.number("attention.head_count"),
    n_inner: read.number("feed_forward_length"),
    n_layer: read.number("block_count"),
    n_positions: read.number("context_length"),
    tie_word_embeddings: !file.tensors.has("output.weight"),
    vocab_size: vocabulary(read, file),
  };
}

function bert(read: Metadata, file: GgufFile): Json {
  return {
    hidden_act: "gelu",
    hidden_size: read.number("embedding_length"),
    intermediate_size: read.number("feed_forward_length"),
    layer_norm_eps: fromF32(read.number("attention.layer_norm_epsilon")),
    max_position_embeddings: read.number("context_length"),
    num_attention_heads: read.number("attention.head_count"),
    num_hidden_layers: read.number("block_count"),
    type_vocab_size: file.tensors.get("token_types.weight")?.shape[0] ?? 2,
    vocab_size: vocabulary(read, file),
  };
}

/**
 * `config.json` of transformers for a GGUF file, its fields by name.
 * @throws CapabilityError kind `unsupported-model` for architectures, and scaled rotary embeddings, that it does not follow from the file for; FormatError kind `key`
 * @see llama.cpp `convert_hf_to_gguf.py`; transformers `integrations/ggml.py`
 */
export async function configOfGguf(file: GgufFile, dtype: string): Promise<Json> {
  const { location, metadata } = file;
  const architecture = String(metadata.get("general.architecture")?.value);
  const family = FAMILIES.get(architecture);
  if (!family)
    throw refusal(
      location,
      `architecture ${architecture}, of which no config.json is written; there are ${[...FAMILIES.keys()].join(", ")}`,
    );
  const read = new Metadata(metadata, location, architecture);
  const token = (key: string): Json => {
    const id = read.optional(`tokenizer.ggml.${key}_token_id`);
    return id === undefined ? {} : { [`${key === "padding" ? "pad" : key}_token_id`]: id };
  };
  const fields: Json = {
    architectures: [family.architecture],
    ...token("bos"),
    ...token("eos"),
    ...token("padding"),
    model_type: architecture,
    torch_dtype: dtype,
    ...(await family.config(read, file)),
  };
  return Object.fromEntries(Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
