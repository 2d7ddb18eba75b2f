import type { LayerHook } from "@weft/registry";
import { type Tensor } from "@weft/tensor-core";
import type { CausalLossOptions, LossSum } from "../losses/causal.js";
import { type Headless, headless } from "../losses/headless.js";

/** A batch as tensors. */
export type BatchTensors = { readonly [name: string]: Tensor };

/** What an objective runs the model by. */
export interface ObjectivePass extends CausalLossOptions {
  /** The model with what trains, as a training pass (dropout acts), or in an evaluation. */
  run(inputs: BatchTensors, hook?: LayerHook): unknown;
  /** The model with the adapter off; no gradient goes through it. */
  reference(inputs: BatchTensors, hook?: LayerHook): unknown;
  /** The path of the layer that gives the logits. @throws ConfigError for an encoder */
  head(): string;
}

/** What training makes small: a sum over a batch and what it is divided by, so that micro-batches of any sizes add up. */
export interface Objective {
  readonly name: string;
  /** Fields that a batch must have besides the model's inputs. */
  readonly fields: readonly string[];
  loss(pass: ObjectivePass, batch: BatchTensors): LossSum;
}

/** The fields of a batch that are inputs of the model: all but those of the objective. */
export const inputsOf = (batch: BatchTensors, fields: readonly string[]): BatchTensors =>
  Object.fromEntries(Object.entries(batch).filter(([name]) => !fields.includes(name)));

/** The model with what trains, up to its output layer. */
export const policy = (pass: ObjectivePass, inputs: BatchTensors): Headless =>
  headless((given, hook) => pass.run(given, hook), pass.head(), inputs);

/** The same with the adapter off. */
export const reference = (pass: ObjectivePass, inputs: BatchTensors): Headless =>
  headless((given, hook) => pass.reference(given, hook), pass.head(), inputs);
