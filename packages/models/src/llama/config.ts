import { ConfigError } from "@weft/tensor-core";
import { assertMultiple, type ConfigJson, fieldsOf } from "../config-fields.js";
import { layerTypes } from "./layer-types.js";
import type { FamilySizes, LlamaConfig, ModelType } from "./llama-config.js";
import { gemma2, gemma3 } from "./gemma.js";
import { phi3 } from "./phi3.js";
import { readRope } from "./rope-config.js";
import { smolLM3 } from "./smollm3.js";

/** The defaults of transformers for an architecture, and what it has of its own. */
interface Family {
  readonly maxPositions: number;
  readonly keyValueHeads?: number;
  readonly headDim?: number;
  readonly normEps?: number;
  readonly tied?: boolean;
  readonly own?: (json: ConfigJson, sizes: FamilySizes) => Partial<LlamaConfig>;
}

/** Architectures that are the Llama block with small differences, by `model_type`. */
const FAMILY: Readonly<Record<ModelType, Family>> = {
  llama: { maxPositions: 2048 },
  mistral: { maxPositions: 131072, keyValueHeads: 8 },
  qwen2: { maxPositions: 32768, keyValueHeads: 32 },
  qwen3: { maxPositions: 32768, keyValueHeads: 32, headDim: 128 },
  smollm3: { maxPositions: 32768, keyValueHeads: 4, tied: true, own: smolLM3 },
  phi3: { maxPositions: 4096, normEps: 1e-5, own: phi3 },
  gemma2: { maxPositions: 8192, keyValueHeads: 4, headDim: 256, tied: true, own: gemma2 },
  gemma3_text: { maxPositions: 131072, keyValueHeads: 4, headDim: 256, tied: true, own: gemma3 },
};

export const MODEL_TYPES: readonly string[] = Object.keys(FAMILY);

/** Reads a `config.json`, in the dialects of transformers 4 and 5. @throws ConfigError naming the field */
export function readLlamaConfig(json: ConfigJson): LlamaConfig {
  const modelType = json["model_type"] as ModelType;
  if (!Object.hasOwn(FAMILY, String(modelType)))
    throw new ConfigError(`config.json: model_type is ${JSON.stringify(modelType)}, expected one of ${MODEL_TYPES.join(", ")}`, {
      kind: "unsupported-model",
    });
  const defaults = FAMILY[modelType];
  const { integer, positive, flag, same } = fieldsOf(json, "config.json");
  const [heads, hiddenSize, layers] = [integer("num_attention_heads"), integer("hidden_size"), integer("num_hidden_layers")];
  const keyValueHeads = integer("num_key_value_heads", defaults.keyValueHeads ?? heads);
  assertMultiple(json, ["num_attention_heads", heads], ["num_key_value_heads", keyValueHeads]);
  const headDim = integer("head_dim", defaults.headDim ?? hiddenSize / heads);
  if (headDim % 2 !== 0)
    throw new ConfigError(`config.json: head_dim is ${headDim}; rotary embeddings need an even number`, { kind: "config-schema" });
  const maxPositions = integer("max_position_embeddings", defaults.maxPositions);
  const attentionBias = modelType !== "mistral" && modelType !== "phi3" && flag("attention_bias");
  const own = defaults.own?.(json, { layers, maxPositions, headDim });
  if (own?.activation === undefined) same("hidden_act", "silu");
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
    normEps: positive("rms_norm_eps", defaults.normEps ?? 1e-6),
    tieWordEmbeddings: flag("tie_word_embeddings", defaults.tied),
    rope: own?.rope ?? readRope(json, maxPositions, headDim),
    qkvBias: modelType === "qwen2" || attentionBias,
    outputBias: modelType !== "qwen2" && attentionBias,
    mlpBias: (modelType === "llama" || modelType === "smollm3") && flag("mlp_bias"),
    windows: windowsOf(json, modelType, layers),
    qkNorm: modelType === "qwen3",
    ...own,
  };
}

/** Mistral: `sliding_window` in all layers (4096 if the field is not there, none if it is null). Qwen: with `use_sliding_window`, in the layers that `layer_types` or `max_window_layers` name. */
function windowsOf(json: ConfigJson, modelType: ModelType, layers: number): (number | undefined)[] {
  const { integer, flag } = fieldsOf(json, "config.json");
  const none = Array<undefined>(layers).fill(undefined);
  const off = modelType === "llama" || (modelType !== "mistral" && !flag("use_sliding_window")) || json["sliding_window"] === null;
  const types = layerTypes(json, layers);
  if (off) return none;
  const window = integer("sliding_window", 4096);
  const first = modelType === "mistral" ? 0 : integer("max_window_layers", 28);
  return none.map((_, i) => ((modelType !== "mistral" && types ? types[i] === "sliding_attention" : i >= first) ? window : undefined));
}
