import { FormatError } from "@weft/tensor-core";
import type { ConvertModule, Loss } from "../conversion/convert-module.js";
import { type LazyTensor, scalarTensor } from "../conversion/lazy-tensor.js";
import { type Dialect, moduleId } from "@weft/adapter-files/dialects";

/** Modules under a dialect's keys. */
export interface NamedTensors {
  readonly tensors: Map<string, LazyTensor>;
  /** By what stands in front of their parameters. */
  readonly modules: Map<string, ConvertModule>;
  readonly losses: Loss[];
}

/**
 * Writes modules under a dialect's keys.
 * @param alphas the dialect keeps alpha = scale · rank as a tensor of each module
 * @throws FormatError kind `duplicate-key` if two modules get one name
 */
export function namedTensors(modules: readonly ConvertModule[], dialect: Dialect, alphas: boolean): NamedTensors {
  const result: NamedTensors = { tensors: new Map(), modules: new Map(), losses: [] };
  for (const module of modules) {
    const own = new Map([...module.parameters, ...(alphas ? scalarsOf(module) : [])]);
    const keys = [...own.keys()].map((parameter) => [parameter, dialect.writeKey!(module.component, module.path, parameter)] as const);
    const missing = keys.filter(([, key]) => key === undefined).map(([parameter]) => parameter);
    if (missing.length > 0) {
      const what =
        missing.length === keys.length
          ? module.component === "model"
            ? "a model that is no part of a pipeline (lycoris has)"
            : `the component ${module.component}`
          : missing.join(", ");
      result.losses.push({ module: module.label, message: `${module.label}: ${dialect.name} has no name for ${what}` });
      continue;
    }
    const [[, first]] = keys as [readonly [string, string]];
    const name = dialect.readKey(first)!.module;
    const before = result.modules.get(name);
    const companion =
      before?.path === module.path && before.component === module.component && !keys.some(([, key]) => result.tensors.has(key!));
    const id = companion ? moduleId(name, module, 1) : name;
    if (before && !companion)
      throw new FormatError(`${before.label} and ${module.label} would both be ${name}`, {
        kind: "duplicate-key",
        tensor: name,
        hint: "the dialect has underscores for dots, and these names differ in nothing else; choose one that keeps the dots",
      });
    result.modules.set(id, module);
    for (const [parameter, key] of keys) result.tensors.set(key!, own.get(parameter)!);
  }
  return result;
}

/** Alpha so that alpha / rank is the scale; constraints and flags as they are. */
function scalarsOf({ rank, scale, scalars }: ConvertModule): [string, LazyTensor][] {
  return [...(rank === undefined ? [] : [["alpha", scalarTensor(scale * rank)] as [string, LazyTensor]]), ...scalars];
}
