import { bytesPerElement, type Device, deviceOf, flattenTree, tensor, type Tree } from "@weft/tensor-core";
import { rankAllocation } from "./ada-lora.js";
import { type Batch, batchTensors } from "./batch.js";
import { firstState } from "./first-state.js";
import { firstScale } from "./loss-scale.js";
import { namedParameters } from "./named-parameters.js";
import { settingsOf, type TrainingArguments } from "./options.js";
import type { PlanMemory } from "./plan-memory.js";
import { Plans } from "./plans.js";
import type { Trainee } from "./trainee.js";
import type { TrainingOptions } from "./training-options.js";

/** What a training takes at its peak, in bytes. */
export interface TrainingMemory {
  /** All of the following together. */
  readonly peakBytes: number;
  /** Weights of the model that the step reads, as they are stored. */
  readonly weightBytes: number;
  /** What a step changes: parameters in f32, states of the optimiser, running averages. */
  readonly stateBytes: number;
  /** Activations, gradients, temporaries, and the batch. */
  readonly workBytes: number;
}

const bytesOf = (tree: Tree): number => flattenTree(tree).leaves.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0);

/**
 * What training with batches like this one would take, from the plan of its step: nothing is computed, and no weight is read, so that a model may be made of a config and of
 * weights whose bytes are still to be fetched.
 * @param batch whose lengths count, and not its ids
 * @throws as `train`
 */
export async function estimateMemory(
  trainee: Trainee,
  batch: Batch,
  options: TrainingArguments & Pick<TrainingOptions, "objective" | "device"> = {},
): Promise<TrainingMemory> {
  const settings = settingsOf({ ...options, maxSteps: 1 }, [batch]);
  const device: Device = options.device ?? deviceOf([...trainee.baseModel.weights.values()]);
  const params = trainee.parameters();
  const named = namedParameters(trainee, params);
  const plans = new Plans(trainee, named, settings, rankAllocation(trainee) ?? { keepsGradients: false }, device);
  const state = firstState(params, named, settings, undefined);
  const [data, key] = [{ lr: tensor(0), step: tensor(1), scale: firstScale(trainee) && tensor(1) }, tensor(Int32Array.of(0, 0))];
  const given = batchTensors(batch, device);
  const stateBytes = bytesOf(state);
  /** A call beside which other parts of the state lie. */
  const beside = (memory: PlanMemory, args: readonly Tree[]): TrainingMemory => {
    const idle = stateBytes - bytesOf(args.includes(state) ? state : state.params);
    const { peakBytes, weightBytes } = memory;
    return { peakBytes: peakBytes + idle, weightBytes, stateBytes, workBytes: peakBytes + idle - weightBytes - stateBytes };
  };
  if (settings.gradientAccumulationSteps === 1) {
    const args = [state, given, data, key];
    return beside(await plans.memory("step", args), args);
  }
  // From the second micro-batch on gradients lie beside those that are added to them.
  const [sum, weight] = [tensor(0), tensor(0)];
  const added = { grads: flattenTree(state.params).leaves, sum, weight };
  const [more, apply] = [
    [added, state.params, given, key, data.scale],
    [state, added, data],
  ];
  const calls = [beside(await plans.memory("accumulate", more), more), beside(await plans.memory("apply", apply), apply)];
  return calls.reduce((a, b) => (a.peakBytes >= b.peakBytes ? a : b));
}
