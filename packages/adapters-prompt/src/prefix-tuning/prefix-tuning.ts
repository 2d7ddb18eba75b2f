import { boolean, ConfigError, linear, oneOf, tanh } from "@weft/tensor-core";
import {
  EMBEDDING,
  embeddingOf,
  linearOf,
  PROMPT,
  PROMPT_FIELDS,
  type PromptConfigFields,
  type PromptMethod,
  size,
} from "@weft/tensor-core/prompt";

/** PEFT's `PrefixTuningConfig`. */
export interface PrefixTuningConfigFields extends PromptConfigFields {
  /** `token_dim` if not given. */
  readonly encoderHiddenSize: number;
  readonly prefixProjection: boolean;
  /** `zero`: keys and values start at 0. */
  readonly initWeights: "zero" | null;
}

/** Numbers per virtual token: a key and a value for each layer. */
export const prefixWidth = (config: PromptConfigFields): number => config.numLayers! * 2 * config.tokenDim;

/**
 * Prefix tuning (Li & Liang 2021): trained keys and values in front of each layer's own; with `prefix_projection` made of trained embeddings
 * by Linear-Tanh-Linear. Files hold the keys and values.
 * @see peft `tuners/prefix_tuning/model.py`
 */
export const PREFIX_TUNING: PromptMethod<PrefixTuningConfigFields> = {
  name: "PREFIX_TUNING",
  kind: "keyValues",
  fields: {
    ...PROMPT_FIELDS,
    encoder_hidden_size: size(),
    prefix_projection: boolean(false),
    init_weights: oneOf<string | null>(null, [null, "zero"]),
  },
  parameters(config) {
    const { numVirtualTokens: count, tokenDim, encoderHiddenSize, prefixProjection, initWeights } = config;
    const zero = initWeights === "zero";
    if (!prefixProjection) {
      const embedding = embeddingOf(count, prefixWidth(config));
      return { [EMBEDDING]: zero ? { ...embedding, init: { kind: "zeros" } } : embedding };
    }
    return {
      [EMBEDDING]: embeddingOf(count, tokenDim),
      ...linearOf("transform.0", tokenDim, encoderHiddenSize),
      ...linearOf("transform.2", encoderHiddenSize, prefixWidth(config), zero),
    };
  },
  encode(params, { prefixProjection }) {
    if (!prefixProjection) return { [PROMPT]: params[EMBEDDING]! };
    const hidden = tanh(linear(params[EMBEDDING]!, params["transform.0.weight"]!, params["transform.0.bias"]));
    return { [PROMPT]: linear(hidden, params["transform.2.weight"]!, params["transform.2.bias"]) };
  },
  saved: (config) => ({ [PROMPT]: [config.numVirtualTokens, prefixWidth(config)] }),
  restore(saved, { prefixProjection }) {
    if (prefixProjection)
      throw new ConfigError("PREFIX_TUNING: a file holds what the projection gave, not the projection, so training cannot go on from it", {
        hint: "set prefix_projection to false to train the keys and values themselves",
      });
    return { [EMBEDDING]: saved[PROMPT]! };
  },
};
