import type { Mirror, MirrorSizes, Tensor } from "@weft/tensor-core";
import type { LayerHook } from "../hooks.js";
import type { Model } from "../model.js";
import type { CacheOptions } from "./cache.js";
import type { CausalInputs, LayerCache } from "./inputs.js";

/** What a causal language model computes. */
export interface CausalOutput<Cache extends LayerCache = LayerCache> {
  /** [batch, virtual + length, vocabulary]. */
  readonly logits: Tensor;
  /**
   * As transformers' `hidden_states`: the embeddings (not for RWKV), then the result of each block; the last one after the final norm.
   * [batch, virtual + length, hidden]
   */
  readonly hiddenStates: readonly Tensor[];
  /** The cache of the inputs with what this pass adds. */
  readonly cache?: readonly Cache[];
}

/** What every causal language model's config has. */
export interface CausalConfig {
  /** transformers' `model_type`. */
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
}

/** A model that gives logits of the next token, as a function of weights, inputs and a hook. */
export interface CausalLM extends Model<CausalConfig> {
  /** Logits and hidden states, lazily. */
  forward(inputs: CausalInputs, hook?: LayerHook): CausalOutput;
  /** What `forward` keeps between passes, with room for so many positions. */
  emptyCache(options: CacheOptions): LayerCache[];
  withWeights(changes: ReadonlyMap<string, Tensor>): CausalLM;
  /** A smaller model of the same kind, for ShadowPEFT, where the architecture has one. */
  mirror?(sizes: MirrorSizes): Mirror;
}
