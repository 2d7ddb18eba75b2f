import { decoderEntries, decoderFields, headDimOf } from "./decoder.js";
import type { Family } from "./family.js";
import { type Config, type Entries, f32, u32 } from "./read-config.js";
import type { Json, Metadata } from "./read-metadata.js";
import { ropeFields, ropeOf, ropeScaling } from "./rope.js";

/** A generation of Gemma: how many layers its largest model has, whose attention is scaled by its width, and every how many-th layer sees all. */
interface Generation {
  readonly largest: number;
  readonly pattern: number;
}

const GENERATION2: Generation = { largest: 46, pattern: 2 };
const GENERATION3: Generation = { largest: 62, pattern: 6 };
const DEFAULTS = { keyValueHeads: 4, headDim: 256, normEps: 1e-6 };

/** What scores are divided by the root of, as llama.cpp has it: no file says it. @see llama.cpp `src/models/gemma2.cpp`, `gemma3.cpp` */
const attentionScalar = ({ largest }: Generation, layers: number, headDim: number, hidden: number, heads: number): number =>
  layers === largest ? Math.floor(hidden / heads) : headDim;

/** Which layers have a window. */
const slidingLayers = ({ pattern }: Generation, layers: number): readonly boolean[] =>
  Array.from({ length: layers }, (_, i) => (i + 1) % pattern !== 0);

/** What both generations write. */
function common(config: Config, generation: Generation): Entries {
  config.same("hidden_activation", "gelu_pytorch_tanh");
  if (config.json["use_bidirectional_attention"] === true)
    throw config.refusal("its attention sees what is behind, which is not written as GGUF");
  config.same("attention_bias", false);
  const [layers, headDim] = [config.number("num_hidden_layers"), headDimOf(config, DEFAULTS.headDim)];
  const scalar = config.number("query_pre_attn_scalar", 256);
  const own = attentionScalar(generation, layers, headDim, config.number("hidden_size"), config.number("num_attention_heads"));
  if (scalar !== own)
    throw config.refusal(
      `query_pre_attn_scalar is ${scalar}, and GGUF files of ${layers} layers with heads of ${headDim} stand for ${own}`,
    );
  const window = config.json["sliding_window"] === null ? undefined : config.number("sliding_window", 4096);
  const types = config.json["layer_types"] as readonly unknown[] | null | undefined;
  const sliding = types?.map((type) => type === "sliding_attention") ?? slidingLayers(patternOf(config, generation), layers);
  const usual = slidingLayers(generation, layers).every((slides, i) => slides === sliding[i]);
  return [
    ...decoderEntries(config, DEFAULTS),
    ...(window === undefined ? [] : ([["attention.sliding_window", u32(window)]] as const)),
    ...(usual ? [] : ([["attention.sliding_window_pattern", { type: "array", items: "bool", value: sliding }]] as const)),
  ];
}

/** The generation with the pattern that older configs name. */
const patternOf = (config: Config, generation: Generation): Generation => ({
  ...generation,
  pattern: config.number("sliding_window_pattern", generation.pattern),
});

/** What both generations are read as. */
function commonFields(read: Metadata, generation: Generation): Json {
  const fields = decoderFields(read) as { readonly [field: string]: number };
  const [layers, hidden, heads] = [fields["num_hidden_layers"]!, fields["hidden_size"]!, fields["num_attention_heads"]!];
  const stored = read.value("attention.sliding_window_pattern");
  const sliding =
    typeof stored === "number"
      ? slidingLayers({ ...generation, pattern: stored }, layers)
      : stored === undefined
        ? slidingLayers(generation, layers)
        : Array.from(stored as ArrayLike<boolean | number>, Boolean);
  const window = read.own("attention.sliding_window");
  return {
    ...fields,
    hidden_activation: "gelu_pytorch_tanh",
    layer_types: sliding.map((slides) => (slides && window ? "sliding_attention" : "full_attention")),
    query_pre_attn_scalar: attentionScalar(generation, layers, fields["head_dim"]!, hidden, heads),
    ...(window !== undefined && { sliding_window: window }),
  };
}

/** A cap of the metadata; null for none. */
const cap = (read: Metadata, key: string): number | null => read.float(key) || null;

/** A cap of the config, as an entry, if there is one. */
function capEntry(config: Config, field: string, key: string, otherwise?: number): Entries {
  const value = config.json[field] === undefined ? otherwise : config.optional(field);
  return value === undefined ? [] : [[key, f32(value)]];
}

export const GEMMA2: Family = {
  architecture: "gemma2",
  modelTypes: ["gemma2"],
  className: "Gemma2ForCausalLM",
  config: async (read) => ({
    ...commonFields(read, GENERATION2),
    attn_logit_softcapping: cap(read, "attn_logit_softcapping") ?? 50,
    final_logit_softcapping: cap(read, "final_logit_softcapping") ?? 30,
    ...(await ropeFields(read)),
  }),
  describe(config) {
    const rope = ropeOf(config, 10000);
    for (const key of ["attn_logit_softcapping", "final_logit_softcapping"])
      if (config.json[key] === null) throw config.refusal(`${key} is null, and GGUF files of the model stand for a cap`);
    const { entries } = ropeScaling(config, rope, headDimOf(config, DEFAULTS.headDim), false);
    return {
      entries: [
        ...common(config, GENERATION2),
        ...capEntry(config, "attn_logit_softcapping", "attn_logit_softcapping", 50),
        ...capEntry(config, "final_logit_softcapping", "final_logit_softcapping", 30),
        ["rope.freq_base", f32(rope.theta)],
        ...entries,
      ],
    };
  },
};

/** Rotary embeddings of layers that see all, and of those with a window, where files do not say them. */
const THETA = 1e6;
const LOCAL_THETA = 1e4;

export const GEMMA3: Family = {
  architecture: "gemma3",
  modelTypes: ["gemma3_text"],
  className: "Gemma3ForCausalLM",
  config: async (read) => ({
    ...commonFields(read, GENERATION3),
    final_logit_softcapping: cap(read, "final_logit_softcapping"),
    rope_local_base_freq: read.float("rope.freq_base_swa") ?? LOCAL_THETA,
    ...(await ropeFields(read)),
  }),
  describe(config) {
    const kinds = config.json["rope_parameters"] as { readonly [kind: string]: Json | undefined } | null | undefined;
    const rope = ropeOf(config, THETA, kinds ? (kinds["full_attention"] ?? {}) : undefined);
    const local = ropeOf(
      config,
      config.number("rope_local_base_freq", LOCAL_THETA),
      kinds?.["sliding_attention"] ?? { rope_theta: config.number("rope_local_base_freq", LOCAL_THETA) },
    );
    if (local.type !== "default")
      throw config.refusal("the rotary embedding of its layers with a window is scaled, which is not written as GGUF");
    const { entries } = ropeScaling(config, rope, headDimOf(config, DEFAULTS.headDim), false);
    return {
      entries: [
        ...common(config, GENERATION3),
        ...capEntry(config, "final_logit_softcapping", "final_logit_softcapping"),
        ["rope.freq_base", f32(rope.theta)],
        ["rope.freq_base_swa", f32(local.theta)],
        ...entries,
      ],
    };
  },
};
