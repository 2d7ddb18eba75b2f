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
  /** What a checkpoint has of one kind: for every parameter, or for none. */
  const kept = (what: string, from: ReadonlyMap<string, Tensor> | undefined, key: string, like: Tensor): Tensor => {
    if (!from || from.size === 0) return like;
    const found = from.get(key);
    if (found?.shape.join() === like.shape.join()) return found;
    throw new FormatError(`the checkpoint has ${found ? `[${found.shape}]` : "nothing"} for ${what} ${key}, expected [${like.shape}]`, {
      kind: "bad-checkpoint",
      hint: "it is of another adapter or optimiser: go on with the options that it was made with",
    });
  };
  const own = leaves.map((t, i) => copy(kept("the parameter", resume?.parameters, named[i]!.name, t)));
  const tree = (tensors: readonly Tensor[]): AdapterParameters => unflattenTree(structure, tensors) as AdapterParameters;
  return {
    params: tree(own),
    optimizer: own.map((param, i) => {
      const fresh = Object.entries(optimizer.state(param, hyper));
      return Object.fromEntries(fresh.map(([key, t]) => [key, kept("the optimiser's", resume?.optimizer, `${key}.${named[i]!.name}`, t)]));
    }),
    ema: emaDecay === undefined ? null : tree(own.map((t, i) => copy(kept("the average of", resume?.ema, named[i]!.name, t)))),
  };
}
