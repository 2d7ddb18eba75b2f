import { type Field, type FieldTable, oneOf, stringList } from "../adapter/config.js";

/** What the config of every prompt method has, completed from the model. */
export interface PromptConfigFields {
  readonly numVirtualTokens: number;
  /** Width of a virtual token; of one layer's keys (all heads) for prefix methods. */
  readonly tokenDim: number;
  /** 2 for encoder-decoder models. */
  readonly numTransformerSubmodules: 1 | 2;
  /** Prefix methods split `tokenDim` into these: the key-value heads where queries are grouped. */
  readonly numAttentionHeads: number | null;
  readonly numLayers: number | null;
  readonly modulesToSave: readonly string[] | null;
}

/** Sizes of a model that fill in what a config leaves open. */
export interface PromptModel {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** `heads` if not given. */
  readonly keyValueHeads?: number;
  /** `hiddenSize / heads` if not given. */
  readonly headDim?: number;
}

/** Larger sizes come from a damaged or hostile file: real ones stay a hundred times below. */
export const MAX_SIZE: number = 2 ** 24;

/** A size that PEFT takes from the model where it is null. */
export const size = (fallback: number | null = null): Field => ({
  fallback,
  check: (v) => v === null || (Number.isInteger(v) && (v as number) >= 1 && (v as number) <= MAX_SIZE),
  expected: `an integer from 1 to ${MAX_SIZE}`,
});

/** A text or null. */
export const text = (): Field => ({ fallback: null, check: (v) => v === null || typeof v === "string", expected: "a string" });

/** Fields that all prompt methods share. @see peft `config.py` PromptLearningConfig */
export const PROMPT_FIELDS: FieldTable = {
  num_virtual_tokens: size(),
  token_dim: size(),
  num_transformer_submodules: oneOf<number | null>(null, [null, 1, 2]),
  num_attention_heads: size(),
  num_layers: size(),
  modules_to_save: stringList(),
};
