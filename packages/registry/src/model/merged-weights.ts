import { type AdapterContext, type Attached, CapabilityError, mergeBias, mergeWeight, type Tensor } from "@weft/tensor-core";
import { aloraTokens } from "./active-adapters.js";
import type { AdapterState } from "./adapter-state.js";
import { type HookedLayer, type HookedModel, weightName } from "./hooked-model.js";

/** What adapters replace in a model, and their changes of raw parameters, which no hook sees. */
export function adaptedBase<I, O>(model: HookedModel<I, O>, states: readonly AdapterState[]): HookedModel<I, O> {
  const changes = wholeTensors(states);
  for (const { path, layer, base } of rawParameters(model, states)) {
    const attached = states.flatMap(({ layers }) => layers.get(path) ?? []);
    changes.set(path, mergeAll(attached, changes.get(path) ?? base.weight, false, layer.dtype));
  }
  return changes.size === 0 ? model : model.withWeights(changes);
}

/** The weights of a model that adapters change, merged in this order. @throws CapabilityError if one cannot be merged */
export function mergedWeights(model: HookedModel<never, unknown>, states: readonly AdapterState[], safe: boolean): Map<string, Tensor> {
  const unmergeable = states.find(({ prompt, config }) => prompt ?? aloraTokens(config));
  if (unmergeable)
    throw new CapabilityError(`${unmergeable.config.peftType} acts on the input, not on weights: there is nothing to merge`, {
      hint: "keep it unmerged",
    });
  const merged = wholeTensors(states);
  for (const found of model.layers()) {
    const attached = states.flatMap(({ layers }) => layers.get(found.path) ?? []);
    if (attached.length === 0) continue;
    const name = weightName(found);
    const weight = merged.get(name) ?? found.base.weight;
    merged.set(name, mergeAll(attached, weight, safe, weight.dtype));
    const biasName = `${found.path}.bias`;
    const before = merged.get(biasName) ?? found.base.bias;
    const bias = attached.reduce(
      (b, { method, params, context }) => mergeBias(method, b, params, context, { weight, bias: before }),
      before,
    );
    if (bias && bias !== before) merged.set(biasName, bias);
  }
  return merged;
}

/** Adapters merged one after the other; norms are taken of the weight before all of them, as PEFT does. */
function mergeAll(attached: readonly Attached[], weight: Tensor, safe: boolean, dtype: Tensor["dtype"]): Tensor {
  return attached.reduce(
    (current, { method, params, context }) =>
      mergeWeight(method, current, params, context as AdapterContext<never>, { safeMerge: safe, dtype, unmerged: weight }),
    weight,
  );
}

function rawParameters(model: HookedModel<never, unknown>, states: readonly AdapterState[]): HookedLayer[] {
  return [...model.layers()].filter(({ path, layer }) => layer.kind === "parameter" && states.some(({ layers }) => layers.has(path)));
}

/** Weights that are other ones than the model's: as adapters expect them, and over those what adapters bring. @throws CapabilityError if two have each a base of their own */
function wholeTensors(states: readonly AdapterState[]): Map<string, Tensor> {
  const expected = states.flatMap((state) => [...state.expected]);
  const twice = expected.find(([name], i) => expected.findIndex(([other]) => other === name) < i)?.[0];
  if (twice !== undefined)
    throw new CapabilityError(`${twice}: the initialisations of two active adapters changed it, each in its own way`, {
      kind: "base-changed-by-init",
      tensor: twice,
      hint: "use one of them at a time, or merge one and load the other on the result",
    });
  return new Map([...expected, ...states.flatMap(({ replaced }) => [...replaced])]);
}
