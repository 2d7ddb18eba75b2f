import { bytesPerElement, type Device, deviceOf, flattenTree, tensor, type Tree } from "@weft/tensor-core";
import { rankAllocation } from "./ada-lora.js";
import { type Batch, batchTensors } from "./batch.js";
import { firstState } from "./first-state.js";
import { firstScale } from "./loss-scale.js";
import { namedParameters } from "./named-parameters.js";
import { settingsOf, type TrainingArguments } from "./options.js";
import type { PlanNeeds } from "./plan-needs.js";
import { Plans } from "./plans.js";
import type { Trainee } from "./trainee.js";
import type { TrainingOptions } from "./training-options.js";

/** The settings that an estimate looks at. */
export type EstimateOptions = TrainingArguments & Pick<TrainingOptions, "objective" | "device">;

/** A call that a step of the optimiser makes. */
export interface StepCall extends PlanNeeds {
  /** How often a step makes it. */
  readonly times: number;
  /** Of the state of the training, what lies beside the call's own arguments. */
  readonly idleBytes: number;
}

/** The calls of a step, by their plans. */
export interface StepCalls {
  readonly device: Device;
  /** Parameters in f32, states of the optimiser, running averages. */
  readonly stateBytes: number;
  readonly calls: readonly StepCall[];
}

const bytesOf = (tree: Tree): number => flattenTree(tree).leaves.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0);

/** What a step over batches like this one calls: nothing is computed, and no weight is read. @throws as `train` */
export async function stepCalls(trainee: Trainee, batch: Batch, options: EstimateOptions): Promise<StepCalls> {
  const settings = settingsOf({ ...options, maxSteps: 1 }, [batch]);
  const device: Device = options.device ?? deviceOf([...trainee.baseModel.weights.values()]);
  const params = trainee.parameters();
  const named = namedParameters(trainee, params);
  const plans = new Plans(trainee, named, settings, rankAllocation(trainee) ?? { keepsGradients: false }, device);
  const state = firstState(params, named, settings, undefined);
  const [data, key] = [{ lr: tensor(0), step: tensor(1), scale: firstScale(trainee) && tensor(1) }, tensor(Int32Array.of(0, 0))];
  const given = batchTensors(batch, device);
  const stateBytes = bytesOf(state);
  const call = async (name: Parameters<Plans["needs"]>[0], args: readonly Tree[], times: number): Promise<StepCall> => ({
    ...(await plans.needs(name, args)),
    times,
    idleBytes: stateBytes - bytesOf(args.includes(state) ? state : state.params),
  });
  const { gradientAccumulationSteps: micro } = settings;
  if (micro === 1) return { device, stateBytes, calls: [await call("step", [state, given, data, key], 1)] };
  // From the second micro-batch on gradients lie beside those that are added to them.
  const [sum, weight] = [tensor(0), tensor(0)];
  const added = { grads: flattenTree(state.params).leaves, sum, weight };
  const more = await call("accumulate", [added, state.params, given, key, data.scale], micro);
  return { device, stateBytes, calls: [more, await call("apply", [state, added, data], 1)] };
}
