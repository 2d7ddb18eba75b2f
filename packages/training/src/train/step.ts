import type { AdapterParameters, LayerHook } from "@weft/registry";
import {
  abs,
  add,
  clipByGlobalNorm,
  div,
  flattenTree,
  globalNorm,
  gradients,
  greater,
  less,
  logicalAnd,
  maximum,
  mul,
  stack,
  type Tensor,
  unflattenTree,
  where,
} from "@weft/tensor-core";
import type { BatchTensors } from "../objectives/objective.js";
import { emaStep } from "../optimizers/ema.js";
import type { OptimizerState } from "../optimizers/optimizer.js";
import { parameterGroup } from "../optimizers/parameter-groups.js";
import type { NamedParameter } from "./named-parameters.js";
import type { Settings } from "./options.js";
import { passOf } from "./pass.js";
import type { Trainee } from "./trainee.js";

/** Everything that a step changes. Optimiser states are in the order of the parameters' leaves. */
export type TrainState = {
  readonly params: AdapterParameters;
  readonly optimizer: readonly OptimizerState[];
  readonly ema: AdapterParameters | null;
};

/** What micro-batches have added up: gradients in the order of the leaves, the sum of the loss and its weight. */
export type Accumulated = { readonly grads: readonly Tensor[]; readonly sum: Tensor; readonly weight: Tensor };

/** What is another one in every step. */
export type StepData = { readonly lr: Tensor; readonly step: Tensor; readonly scale: Tensor | null };

/** The state after a step, and a report f32 [3]: loss, norm of the gradients before clipping, weight of the loss. */
export type StepResult = { readonly state: TrainState; readonly report: Tensor; readonly grads: readonly Tensor[] | null };

/** What a training computes, as functions of tensors alone. */
export interface StepFunctions {
  /** The gradients of a micro-batch, times the scale of the loss if there is one, added to what there is. */
  accumulate(before: Accumulated | null, params: AdapterParameters, batch: BatchTensors, key: Tensor, scale: Tensor | null): Accumulated;
  /** A step of the optimiser by them. */
  apply(state: TrainState, accumulated: Accumulated, data: StepData): StepResult;
  /** Sum of the loss and its weight, f32 [2], without dropout. */
  evaluate(params: AdapterParameters, batch: BatchTensors): Tensor;
}

/** What a method adds to the loss, and whether it needs the gradients of a step. */
export interface MethodHooks {
  readonly regularizer?: ((params: AdapterParameters) => Tensor) | undefined;
  readonly keepsGradients: boolean;
}

/** Below it a number is finite. */
const LARGEST = 3.4028234e38;
const isFinite32 = (x: Tensor): Tensor => less(abs(x), LARGEST);

/** The functions of a training of these parameters. @param around a hook around all layers */
export function stepFunctions(
  trainee: Trainee,
  named: readonly NamedParameter[],
  settings: Settings,
  { regularizer, keepsGradients }: MethodHooks,
  around: LayerHook | undefined,
): StepFunctions {
  const { objective, optimizer, hyper, labelSmoothingFactor, lossChunkTokens, maxGradNorm, emaDecay } = settings;
  const groups = named.map(({ name, tensor, isNorm }) => parameterGroup(name, tensor.shape, { ...settings, isNorm }));
  const lossOf = (params: AdapterParameters, batch: BatchTensors, dropoutKey: Tensor | null): ReturnType<typeof objective.loss> => {
    const smoothing = dropoutKey === null ? 0 : labelSmoothingFactor;
    return objective.loss(
      passOf(trainee.withParameters(params), { dropoutKey, around, labelSmoothingFactor: smoothing, lossChunkTokens }),
      batch,
    );
  };
  return {
    accumulate(before, params, batch, key, scale) {
      const { sum, weight } = lossOf(params, batch, key);
      const grads = gradients(scale ? mul(sum, scale) : sum, flattenTree(params).leaves);
      if (!before) return { grads, sum, weight };
      return { grads: grads.map((g, i) => add(before.grads[i]!, g)), sum: add(before.sum, sum), weight: add(before.weight, weight) };
    },
    apply(state, accumulated, { lr, step, scale }) {
      const { leaves, structure } = flattenTree(state.params);
      const share = div(1, maximum(accumulated.weight, 1e-30));
      const unscaled = scale ? div(share, scale) : share;
      const extra = regularizer?.(state.params);
      const own = extra && gradients(extra, leaves);
      const mean = accumulated.grads.map((g, i) => (own ? add(mul(g, unscaled), own[i]!) : mul(g, unscaled)));
      const loss = extra ? add(mul(accumulated.sum, share), extra) : mul(accumulated.sum, share);
      const { tensors: clipped, norm } = maxGradNorm > 0 ? clipByGlobalNorm(mean, maxGradNorm) : { tensors: mean, norm: globalNorm(mean) };
      // A step that is no number, or of no label, changes nothing.
      const good = logicalAnd(logicalAnd(isFinite32(norm), isFinite32(loss)), greater(accumulated.weight, 0));
      const kept = (next: Tensor, old: Tensor): Tensor => where(good, next, old);
      const stepped = leaves.map((param, i) => {
        const { lrScale, decays } = groups[i]!;
        const constants = !decays && "weightDecay" in hyper ? { ...hyper, weightDecay: 0 } : hyper;
        const now = { lr: lrScale === 1 ? lr : mul(lr, lrScale), step };
        const next = optimizer.step(param, clipped[i]!, state.optimizer[i]!, constants, now);
        const old = state.optimizer[i]!;
        return {
          param: kept(next.param, param),
          state: Object.fromEntries(Object.entries(next.state).map(([name, t]) => [name, kept(t, old[name]!)])) as OptimizerState,
        };
      });
      const tree = (tensors: readonly Tensor[]): AdapterParameters => unflattenTree(structure, tensors) as AdapterParameters;
      const averages = state.ema && flattenTree(state.ema).leaves;
      return {
        state: {
          params: tree(stepped.map(({ param }) => param)),
          optimizer: stepped.map((one) => one.state),
          ema: averages && tree(averages.map((average, i) => emaStep(average, stepped[i]!.param, emaDecay!))),
        },
        report: stack([loss, norm, accumulated.weight]),
        grads: keepsGradients ? clipped : null,
      };
    },
    evaluate(params, batch) {
      const { sum, weight } = lossOf(params, batch, null);
      return stack([sum, weight]);
    },
  };
}
