import { ConfigError } from "@weft/tensor-core";

/** Architectures that are the Llama block with small differences, by `model_type`. */
const FAMILY = { llama: {}, mistral: {}, qwen2: { qkvBias: true }, qwen3: { qkNorm: true } } as const;

/** Scaling of rotary embeddings, as `rope_parameters` or `rope_scaling` of a config say. */
export interface RopeConfig {
  readonly type: "default" | "linear" | "dynamic" | "yarn" | "llama3" | "longrope";
  readonly theta: number;
  /** The fields of the type (`factor`, `low_freq_factor` …) by their names on disk. */
  readonly fields: { readonly [name: string]: unknown };
}

/** What the forward pass needs of a `config.json`. */
export interface LlamaConfig {
  readonly modelType: keyof typeof FAMILY;
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
  /** Keys further back than this are not seen; undefined: all are. */
  readonly slidingWindow: number | undefined;
  /** RMSNorm on q and k per head (Qwen3). */
  readonly qkNorm: boolean;
}

const ROPE_TYPES = new Set(["default", "linear", "dynamic", "yarn", "llama3", "longrope"]);

/** Reads a `config.json`, in the dialects of transformers 4 and 5. @throws ConfigError naming the field */
export function readLlamaConfig(json: { readonly [field: string]: unknown }): LlamaConfig {
  const modelType = json["model_type"] as keyof typeof FAMILY;
  if (!Object.hasOwn(FAMILY, String(modelType))) throw new ConfigError(`model_type is ${JSON.stringify(modelType)}, expected one of ${Object.keys(FAMILY).join(", ")}`, { kind: "unsupported-model" });
  const integer = (name: string, otherwise?: number): number => {
    const value = json[name] ?? otherwise;
    if (!Number.isInteger(value) || (value as number) < 1) throw new ConfigError(`config.json: ${name} is ${JSON.stringify(value)}, expected a positive integer`, { kind: "config-schema" });
    return value as number;
  };
  if ((json["hidden_act"] ?? "silu") !== "silu") throw new ConfigError(`config.json: hidden_act is ${JSON.stringify(json["hidden_act"])}, expected "silu"`, { kind: "unsupported-model" });
  const heads = integer("num_attention_heads");
  const hiddenSize = integer("hidden_size");
  const windowed = modelType === "mistral" || (modelType !== "llama" && json["use_sliding_window"] === true);
  return {
    modelType,
    hiddenSize,
    heads,
    layers: integer("num_hidden_layers"),
    keyValueHeads: integer("num_key_value_heads", heads),
    headDim: integer("head_dim", hiddenSize / heads),
    vocabSize: integer("vocab_size"),
    intermediateSize: integer("intermediate_size"),
    maxPositions: integer("max_position_embeddings", 2048),
    normEps: Number(json["rms_norm_eps"] ?? 1e-6),
    tieWordEmbeddings: json["tie_word_embeddings"] === true,
    rope: readRope(json),
    slidingWindow: windowed && typeof json["sliding_window"] === "number" ? json["sliding_window"] : undefined,
    qkNorm: modelType === "qwen3",
  };
}

/** transformers 5: `rope_parameters` with everything; before: `rope_theta` and `rope_scaling` with `rope_type` or `type`. */
function readRope(json: { readonly [field: string]: unknown }): RopeConfig {
  const fields = (json["rope_parameters"] ?? json["rope_scaling"] ?? {}) as { readonly [name: string]: unknown };
  const type = fields["rope_type"] ?? fields["type"] ?? "default";
  if (!ROPE_TYPES.has(String(type))) throw new ConfigError(`config.json: rope type ${JSON.stringify(type)} is unknown`, { kind: "unsupported-model" });
  return { type: type as RopeConfig["type"], theta: Number(fields["rope_theta"] ?? json["rope_theta"] ?? 10000), fields };
}
