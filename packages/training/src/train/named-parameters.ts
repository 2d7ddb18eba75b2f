import { type AdapterParameters, PeftModel, stateDict } from "@weft/registry";
import { ConfigError, flattenTree, type Tensor } from "@weft/tensor-core";
import type { Trainee } from "./trainee.js";

/** A tensor that trains, with what decides how it is stepped and named in files. */
export interface NamedParameter {
  /** As PEFT's file has it, where that has the tensor as it is; else its place in the tree of parameters. */
  readonly name: string;
  readonly tensor: Tensor;
  /** Whether it belongs to a norm. */
  readonly isNorm: boolean;
}

/** Places in the tree in the order of `flattenTree`. */
function* places(parameters: AdapterParameters): Generator<readonly [path: string, name: string]> {
  for (const [part, entries] of Object.entries(parameters))
    for (const [key, value] of Object.entries(entries))
      if (part === "layers") for (const name of Object.keys(value as object)) yield [key, `${key}.${name}`];
      else yield [key.slice(0, key.lastIndexOf(".")), part === "replaced" ? key : `${part}.${key}`];
}

/**
 * The tensors that train, in the order of `flattenTree`.
 * @throws ConfigError kind `nothing-to-train` if there are none
 */
export function namedParameters(trainee: Trainee, parameters: AdapterParameters): NamedParameter[] {
  const { leaves } = flattenTree(parameters);
  if (leaves.length === 0)
    throw new ConfigError("nothing would train: the model has no parameter that changes", {
      kind: "nothing-to-train",
      hint: "choose an adapter with setAdapter, one whose method trains and whose targets match modules",
    });
  const files =
    trainee instanceof PeftModel
      ? stateDict(trainee.withParameters(parameters).state(trainee.activeAdapters[0]!))
      : new Map<string, Tensor>();
  // Before the first step a tensor may have two names, that of what trains first: T-LoRA begins with the factors from which its change is measured.
  const names = new Map([...files].toReversed().map(([name, t]) => [t, name]));
  const norms = new Set([...trainee.baseModel.layers()].flatMap(({ path, layer }) => (layer.kind === "norm" ? [path] : [])));
  return [...places(parameters)].map(([path, place], i) => ({
    name: names.get(leaves[i]!) ?? place,
    tensor: leaves[i]!,
    isNorm: norms.has(path),
  }));
}
