import type { RopeConfig } from "./rope-config.js";

/** transformers' `model_type`s that are the Llama block with differences. */
export type ModelType = "llama" | "mistral" | "qwen2" | "qwen3" | "smollm3" | "phi3" | "gemma2" | "gemma3_text";

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
  /** RMSNorm on q and k per head (Qwen3, Gemma 3). */
  readonly qkNorm: boolean;
  /** Rotary embeddings per layer, where layers differ: `undefined` for none. `rope` in all layers if not given. */
  readonly ropes?: readonly (RopeConfig | undefined)[];
  /** Of the feed-forward part's gate, as config.json calls it; SiLU if not given. */
  readonly activation?: string;
  /** Gemma: embeddings are scaled by √hidden size, 1 is added to weights of norms, which also stand behind attention and feed-forward part. */
  readonly gemma?: boolean;
  /** Of attention scores; 1/√(head dim) if not given. */
  readonly attentionScale?: number;
  /** Attention scores, and logits, are softly capped at these (Gemma 2). */
  readonly attentionCap?: number | undefined;
  readonly logitCap?: number | undefined;
  /** One projection for q, k and v, and one for gate and up (Phi-3). */
  readonly fused?: boolean;
}

/** What the parts of a config that an architecture has of its own depend on. */
export type FamilySizes = Pick<LlamaConfig, "layers" | "maxPositions" | "headDim">;
