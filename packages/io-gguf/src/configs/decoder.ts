import type { Family } from "./family.js";
import { type Config, type Described, type Entries, f32, u32 } from "./read-config.js";
import type { Json, Metadata } from "./read-metadata.js";
import { ropeFields, ropeOf, ropeScaling } from "./rope.js";

/** Sizes of a decoder of attention and feed-forward parts. */
export interface DecoderDefaults {
  readonly theta?: number;
  readonly keyValueHeads?: number;
  readonly headDim?: number;
  readonly normEps?: number;
  /** Files of the architecture may have `rope_freqs.weight` and factors of longrope. */
  readonly divided?: boolean;
}

/** Number of elements of a head. */
export const headDimOf = (config: Config, otherwise?: number): number =>
  config.optional("head_dim") ?? otherwise ?? config.number("hidden_size") / config.number("num_attention_heads");

/** What all of them write. @see llama.cpp `conversion/base.py` set_gguf_parameters */
export function decoderEntries(config: Config, { keyValueHeads, headDim, normEps }: DecoderDefaults = {}): Entries {
  const heads = config.number("num_attention_heads");
  const own = config.optional("head_dim") ?? headDim;
  return [
    ["block_count", u32(config.number("num_hidden_layers"))],
    ["context_length", u32(config.number("max_position_embeddings"))],
    ["embedding_length", u32(config.number("hidden_size"))],
    ["feed_forward_length", u32(config.number("intermediate_size"))],
    ["attention.head_count", u32(heads)],
    ["attention.head_count_kv", u32(config.number("num_key_value_heads", keyValueHeads ?? heads))],
    ["attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps", normEps))],
    ...(own === undefined
      ? []
      : ([
          ["attention.key_length", u32(own)],
          ["attention.value_length", u32(own)],
        ] as const)),
  ];
}

/** What all of them are read as. */
export function decoderFields(read: Metadata): Json {
  const [hidden, heads] = [read.number("embedding_length"), read.number("attention.head_count")];
  read.number("attention.layer_norm_rms_epsilon");
  return {
    head_dim: read.own("attention.key_length") ?? hidden / heads,
    hidden_size: hidden,
    intermediate_size: read.number("feed_forward_length"),
    max_position_embeddings: read.number("context_length"),
    num_attention_heads: heads,
    num_hidden_layers: read.number("block_count"),
    num_key_value_heads: read.own("attention.head_count_kv") ?? heads,
    rms_norm_eps: read.float("attention.layer_norm_rms_epsilon"),
    tie_word_embeddings: read.tied,
    vocab_size: read.vocabulary,
  };
}

function describe(config: Config, defaults: DecoderDefaults): Described {
  config.same("hidden_act", "silu");
  const rope = ropeOf(config, defaults.theta ?? 10000);
  const headDim = headDimOf(config, defaults.headDim);
  const { entries, tensors = [] } = ropeScaling(config, rope, headDim, defaults.divided ?? false);
  return {
    entries: [
      ...decoderEntries(config, defaults),
      ["rope.freq_base", f32(rope.theta)],
      ["vocab_size", u32(config.number("vocab_size"))],
      ["rope.dimension_count", u32(headDim)],
      ...entries,
    ],
    tensors,
  };
}

const fieldsOf = async (read: Metadata): Promise<Json> => ({ ...decoderFields(read), hidden_act: "silu", ...(await ropeFields(read)) });

/** Llama, Mistral. */
export const LLAMA: Family = {
  architecture: "llama",
  modelTypes: ["llama", "mistral"],
  className: "LlamaForCausalLM",
  config: async (read) => ({ ...(await fieldsOf(read)), attention_bias: read.has("blk.0.attn_q.bias") }),
  describe: (config) => describe(config, { divided: true }),
};

export const QWEN2: Family = {
  architecture: "qwen2",
  modelTypes: ["qwen2"],
  className: "Qwen2ForCausalLM",
  config: fieldsOf,
  describe: (config) => describe(config, {}),
};

export const QWEN3: Family = {
  architecture: "qwen3",
  modelTypes: ["qwen3"],
  className: "Qwen3ForCausalLM",
  config: fieldsOf,
  describe: (config) => describe(config, { headDim: 128 }),
};

/** Every fourth layer is without rotary embedding, which stands in no file. */
const NO_ROPE_INTERVAL = 4;

export const SMOLLM3: Family = {
  architecture: "smollm3",
  modelTypes: ["smollm3"],
  className: "SmolLM3ForCausalLM",
  config: async (read) => ({ ...(await fieldsOf(read)), no_rope_layer_interval: NO_ROPE_INTERVAL, use_sliding_window: false }),
  describe(config) {
    config.same("use_sliding_window", false);
    config.same("attention_bias", false);
    config.same("mlp_bias", false);
    const turned = config.json["no_rope_layers"] ?? undefined;
    const fourths = Array.from({ length: config.number("num_hidden_layers") }, (_, i) => Number((i + 1) % NO_ROPE_INTERVAL !== 0));
    if (turned === undefined) config.same("no_rope_layer_interval", NO_ROPE_INTERVAL);
    else if (JSON.stringify(turned) !== JSON.stringify(fourths))
      throw config.refusal("its layers without rotary embedding are not every fourth, which GGUF files of the model stand for");
    return describe(config, { theta: 2e6, keyValueHeads: 4 });
  },
};
