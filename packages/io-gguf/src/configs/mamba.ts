import type { Family } from "./family.js";
import { type Config, type Entries, f32, u32 } from "./read-config.js";
import type { Json, Metadata } from "./read-metadata.js";

/** What files say of how long texts may be: any length. */
const CONTEXT = 2 ** 20;
/** Inner channels to one of the hidden state. */
const EXPAND = 2;

/** What both generations write. @param stateSize if the config names none */
function common(config: Config, stateSize: number): Entries {
  config.same("hidden_act", "silu");
  config.same("use_bias", false);
  config.same("use_conv_bias", true);
  const hidden = config.number("hidden_size");
  return [
    ["context_length", u32(CONTEXT)],
    ["embedding_length", u32(hidden)],
    // Not used, and asked for.
    ["feed_forward_length", u32(0)],
    ["attention.head_count", u32(0)],
    ["block_count", u32(config.number("num_hidden_layers"))],
    ["ssm.conv_kernel", u32(config.number("conv_kernel", 4))],
    ["ssm.inner_size", u32(innerSize(config))],
    ["ssm.state_size", u32(config.number("state_size", stateSize))],
    ["attention.layer_norm_rms_epsilon", f32(config.number("layer_norm_epsilon", 1e-5))],
  ];
}

const innerSize = (config: Config): number => config.number("expand", EXPAND) * config.number("hidden_size");

/** What both generations are read as. */
function fieldsOf(read: Metadata): Json {
  const hidden = read.number("embedding_length");
  read.number("attention.layer_norm_rms_epsilon");
  return {
    conv_kernel: read.number("ssm.conv_kernel"),
    expand: read.number("ssm.inner_size") / hidden,
    hidden_act: "silu",
    hidden_size: hidden,
    layer_norm_epsilon: read.float("attention.layer_norm_rms_epsilon"),
    num_hidden_layers: read.number("block_count"),
    state_size: read.number("ssm.state_size"),
    tie_word_embeddings: read.tied,
    use_bias: false,
    use_conv_bias: true,
    vocab_size: read.vocabulary,
  };
}

export const MAMBA: Family = {
  architecture: "mamba",
  modelTypes: ["mamba"],
  className: "MambaForCausalLM",
  config(read) {
    if (read.value("ssm.dt_b_c_rms") === true)
      throw read.refusal("its steps are normalised (FalconMamba), of which no config.json is written");
    return { ...fieldsOf(read), intermediate_size: read.number("ssm.inner_size"), time_step_rank: read.number("ssm.time_step_rank") };
  },
  describe(config) {
    config.same("expand", EXPAND);
    const auto = Math.ceil(config.number("hidden_size") / 16);
    return {
      entries: [
        ...common(config, 16),
        ["ssm.time_step_rank", u32(config.optional("time_step_rank") ?? auto)],
        ["ssm.dt_b_c_rms", { type: "bool", value: false }],
      ],
    };
  },
};

export const MAMBA2: Family = {
  architecture: "mamba2",
  modelTypes: ["mamba2"],
  className: "Mamba2ForCausalLM",
  config(read) {
    const heads = read.number("ssm.time_step_rank");
    return {
      ...fieldsOf(read),
      head_dim: read.number("ssm.inner_size") / heads,
      n_groups: read.number("ssm.group_count"),
      num_heads: heads,
    };
  },
  describe(config) {
    const [low, high] = (config.json["time_step_limit"] ?? [0, Infinity]) as readonly unknown[];
    if (low !== 0 || (typeof high === "number" && high !== Infinity))
      throw config.refusal(
        `time_step_limit is ${JSON.stringify(config.json["time_step_limit"])}, and GGUF files of the model stand for steps of any size`,
      );
    return {
      entries: [
        ...common(config, 128),
        ["ssm.time_step_rank", u32(innerSize(config) / config.number("head_dim", 64))],
        ["ssm.group_count", u32(config.number("n_groups", 8))],
      ],
    };
  },
};
