import type { Batch } from "./batch.js";
import { type EstimateOptions, stepCalls } from "./step-calls.js";
import type { Trainee } from "./trainee.js";

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

/**
 * What training with batches like this one would take, from the plan of its step: nothing is computed, and no weight is read, so that a model may be made of a config and of
 * weights whose bytes are still to be fetched.
 * @param batch whose lengths count, and not its ids
 * @throws as `train`
 */
export async function estimateMemory(trainee: Trainee, batch: Batch, options: EstimateOptions = {}): Promise<TrainingMemory> {
  const { stateBytes, calls } = await stepCalls(trainee, batch, options);
  const all = calls.map(({ peakBytes, idleBytes, weightBytes }): TrainingMemory => {
    const whole = peakBytes + idleBytes;
    return { peakBytes: whole, weightBytes, stateBytes, workBytes: whole - weightBytes - stateBytes };
  });
  return all.reduce((a, b) => (a.peakBytes >= b.peakBytes ? a : b));
}
