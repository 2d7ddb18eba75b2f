import type { AdapterParameters } from "@weft/registry";
import { add, cast, flattenTree, FormatError, type Tensor, unflattenTree } from "@weft/tensor-core";
import type { NamedParameter } from "./named-parameters.js";
import type { Settings } from "./options.js";
import type { TrainState } from "./step.js";
import type { Resume } from "./training-options.js";

/**
 * The state before the first step, or that of a checkpoint. Steps take memory over: what the model was given stays as it is.
 * @throws FormatError kind `bad-checkpoint` for a checkpoint without a state of the optimiser for each parameter
 */
export function firstState(
  params: AdapterParameters,
  named: readonly NamedParameter[],
  { optimizer, hyper, emaDecay }: Settings,
  resume: Resume | undefined,
): TrainState {
  const { leaves, structure } = flattenTree(params);
  const copy = (t: Tensor): Tensor => add(cast(t, "f32"), 0);
  const own = leaves.map(copy);
  const missing =
    resume && resume.optimizer.size > 0 && named.find(({ name }) => ![...resume.optimizer.keys()].some((key) => key.endsWith(`.${name}`)));
  if (missing)
    throw new FormatError(`the checkpoint has no state of the optimiser for ${missing.name}`, {
      kind: "bad-checkpoint",
      hint: "it is of another adapter or optimiser: go on with the options that it was made with",
    });
  const tree = (tensors: readonly Tensor[]): AdapterParameters => unflattenTree(structure, tensors) as AdapterParameters;
  return {
    params: tree(own),
    optimizer: own.map((param, i) => {
      const fresh = optimizer.state(param, hyper);
      return Object.fromEntries(Object.entries(fresh).map(([key, t]) => [key, resume?.optimizer.get(`${key}.${named[i]!.name}`) ?? t]));
    }),
    ema: emaDecay === undefined ? null : tree(leaves.map((t, i) => copy(resume?.ema.get(named[i]!.name) ?? t))),
  };
}
