import type { FieldTable } from "../adapter/config.js";
import type { ParameterSpec, Params } from "../adapter/method.js";
import type { Tensor } from "../graph.js";
import type { TorchGenerator } from "../random/index.js";
import type { Shape } from "../shape.js";
import type { PromptConfigFields } from "./prompt-config.js";

/** What a prompt may be started from besides random numbers. */
export interface PromptSource {
  /** The model's word embeddings [vocabulary, token dim]: for `SAMPLE_VOCAB`, `TEXT` and CPT. */
  readonly wordEmbeddings?: Tensor;
  /** Token ids of `prompt_tuning_init_text`, for `TEXT`. */
  readonly textIds?: readonly number[];
  /** The tensors of a multitask prompt trained before, for the inits that take a source. */
  readonly saved?: Params;
}

/**
 * A prompt method: what is put in front of a model's input instead of changing its layers. Three steps, all pure functions:
 *
 *     parameters ─encode→ tensors of the file ─prompt→ embeddings, or keys and values, in front
 *
 * Training goes through all of them; a file holds what the middle step gives, so that running an adapter needs no encoder.
 */
export interface PromptMethod<C extends PromptConfigFields> {
  /** PEFT's `peft_type`. */
  readonly name: string;
  /** `embeddings`: virtual tokens in front of the input's embeddings; `keyValues`: keys and values in front of each layer's own. */
  readonly kind: "embeddings" | "keyValues";
  /** The fields of its config with PEFT's names and defaults. */
  readonly fields: FieldTable;
  /** Values of the config that follow from others, and the checks that take more than one. @throws ConfigError */
  resolve?(values: { readonly [field: string]: unknown }): { readonly [field: string]: unknown };
  /** What is trained, under the names of PEFT's prompt encoder, in the order in which torch draws them. */
  parameters(config: C): { readonly [name: string]: ParameterSpec };
  /** Starting values where random ones are not meant, after `drawn` were. @throws ConfigError if the source lacks something */
  start?(drawn: Params, config: C, generator: TorchGenerator, source: PromptSource): Promise<Params>;
  /** The tensors of the file; `dropout` is what an encoder applies to its hidden states in training. */
  encode(params: Params, config: C, dropout?: (x: Tensor) => Tensor): Params;
  /** Shapes of the tensors of the file. */
  saved(config: C): { readonly [name: string]: Shape };
  /** Parameters to go on training with. @throws ConfigError if they do not follow from the file */
  restore(saved: Params, config: C): Params;
  /** What stands in front, [rows, width] or [batch, rows, width]; `prompt_embeddings` as it is if not given. `tasks`: i32 [batch]. */
  prompt?(saved: Params, config: C, tasks: Tensor | undefined): Tensor;
  /** Whether `prompt` needs the task of each row. */
  readonly takesTasks?: boolean;
  /** Parameters after a training step: back to where the method allows them to be. */
  project?(params: Params, config: C): Params;
}

/** The tensor that every prompt file has. */
export const PROMPT = "prompt_embeddings";
/** The parameter that most encoders begin with. */
export const EMBEDDING = "embedding.weight";

/** Rows of virtual tokens in a file: for an encoder-decoder those of both parts. */
export const totalTokens = (config: PromptConfigFields): number => config.numVirtualTokens * config.numTransformerSubmodules;
