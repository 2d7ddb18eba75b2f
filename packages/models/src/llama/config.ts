import { ConfigError } from "@weft/tensor-core";
import { assertMultiple, type ConfigJson, fieldsOf } from "../config-fields.js";
import { readRope, type RopeConfig } from "./rope-config.js";

/** Architectures that are the Llama block with small differences, by `model_type`, with the defaults of transformers. */
const FAMILY = {
  llama: { maxPositions: 2048, keyValueHeads: undefined, headDim: undefined },
  mistral: { maxPositions: 131072, keyValueHeads: 8, headDim: undefined },
  qwen2: { maxPositions: 32768, keyValueHeads: 32, headDim: undefined },
  qwen3: { maxPositions: 32768, keyValueHeads: 32, headDim: 128 },
} as const;

type ModelType = keyof typeof FAMILY;
export const MODEL_TYPES: readonly string[] = Object.keys(FAMILY);

/** What the forward pass needs of a `config.json`. */
export interface LlamaConfig {
  readonly modelType: ModelType;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly normEps: number;
  readonly tieWordEmbeddings: boolean;
  readonly rope: RopeConfig;
  /** Biases of q, k and v. */
  readonly qkvBias: boolean;
  /** Bias of the attention's output. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Per layer: keys further back than this are not seen; undefined: all are. */
  readonly windows: readonly (number | undefined)[];
  /** RMSNorm on q and k per head (Qwen3). */
  readonly qkNorm: boolean;
}

/** Reads a `config.json`, in the dialects of transformers 4 and 5. @throws ConfigError naming the field */
export function readLlamaConfig(json: ConfigJson): LlamaConfig {
  const modelType = json["model_type"] as ModelType;
  if (!Object.hasOwn(FAMILY, String(modelType)))
    throw new ConfigError(`config.json: model_type is ${JSON.stringify(modelType)}, expected one of ${MODEL_TYPES.join(", ")}`, {
      kind: "unsupported-model",
    });
  const defaults = FAMILY[modelType];
  const { integer, positive, flag, same } = fieldsOf(json, "config.json");
  same("hidden_act", "silu");
  const [heads, hiddenSize, layers] = [integer("num_attention_heads"), integer("hidden_size"), integer("num_hidden_layers")];
  const keyValueHeads = integer("num_key_value_heads", defaults.keyValueHeads ?? heads);
  assertMultiple(json, ["num_attention_heads", heads], ["num_key_value_heads", keyValueHeads]);
  const headDim = integer("head_dim", defaults.headDim ?? hiddenSize / heads);
  if (headDim % 2 !== 0)
    throw new ConfigError(`config.json: head_dim is ${headDim}; rotary embeddings need an even number`, { kind: "config-schema" });
  const maxPositions = integer("max_position_embeddings", defaults.maxPositions);
  const attentionBias = modelType !== "mistral" && flag("attention_bias");
  return {
    modelType,
    hiddenSize,
    layers,
    heads,
    keyValueHeads,
    headDim,
    vocabSize: integer("vocab_size"),
    intermediateSize: integer("intermediate_size"),
    maxPositions,
    normEps: positive("rms_norm_eps", 1e-6),
    tieWordEmbeddings: flag("tie_word_embeddings"),
    rope: readRope(json, maxPositions, headDim),
    qkvBias: modelType === "qwen2" || attentionBias,
    outputBias: modelType !== "qwen2" && attentionBias,
    mlpBias: modelType === "llama" && flag("mlp_bias"),
    windows: windowsOf(json, modelType, layers),
    qkNorm: modelType === "qwen3",
  };
}

/** Mistral: `sliding_window` in all layers (4096 if the field is not there, none if it is null). Qwen: with `use_sliding_window`, in the layers that `layer_types` or `max_window_layers` name. */
function windowsOf(json: ConfigJson, modelType: ModelType, layers: number): (number | undefined)[] {
  const { integer, flag } = fieldsOf(json, "config.json");
  const none = Array<undefined>(layers).fill(undefined);
  const off = modelType === "llama" || (modelType !== "mistral" && !flag("use_sliding_window")) || json["sliding_window"] === null;
  const types = json["layer_types"] ?? undefined;
  if (
    types !== undefined &&
    (!Array.isArray(types) || types.length !== layers || types.some((t) => t !== "full_attention" && t !== "sliding_attention"))
  ) {
    throw new ConfigError(
      `config.json: layer_types is ${JSON.stringify(types)}, expected ${layers} entries, each "full_attention" or "sliding_attention"`,
      { kind: "config-schema" },
    );
  }
  if (off) return none;
  const window = integer("sliding_window", 4096);
  const first = modelType === "mistral" ? 0 : integer("max_window_layers", 28);
  return none.map((_, i) => ((modelType !== "mistral" && types ? types[i] === "sliding_attention" : i >= first) ? window : undefined));
}
