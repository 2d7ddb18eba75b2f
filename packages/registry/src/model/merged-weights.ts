import { type AdapterContext, type Attached, CapabilityError, mergeBias, mergeWeight, type Tensor } from "@weft/tensor-core";
import { gatherPlaced, type Piece, spreadPlaced, withPieces } from "../placed-values.js";
import type { Placement } from "@weft/adapter-files";
import { actsInPlaces } from "./active-adapters.js";
import type { AdapterState } from "./adapter-state.js";
import { hostOf } from "./host-of.js";
import { type HookedLayer, type HookedModel, weightName } from "./hooked-model.js";

/** What adapters replace in a model, and their changes of raw parameters, which no hook sees. */
export function adaptedBase<I, O>(model: HookedModel<I, O>, states: readonly AdapterState[]): HookedModel<I, O> {
  const changes = wholeTensors(states);
  for (const { path, layer, base } of rawParameters(model, states)) {
    const attached = states.flatMap(({ layers }) => layers.get(path) ?? []);
    changes.set(path, mergeAll(attached, changes.get(path) ?? base.weight, { safe: false, dtype: layer.dtype }));
  }
  mergePlaced(model, states, changes, false);
  return changes.size === 0 ? model : model.withWeights(changes);
}

/** The weights of a model that adapters change, merged in this order. @throws CapabilityError if one cannot be merged */
export function mergedWeights(model: HookedModel<never, unknown>, states: readonly AdapterState[], safe: boolean): Map<string, Tensor> {
  const unmergeable = states.find((state) => state.prompt !== undefined || actsInPlaces(state));
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
    merged.set(name, mergeAll(attached, weight, { safe, dtype: weight.dtype }));
    const biasName = `${found.path}.bias`;
    const before = merged.get(biasName) ?? found.base.bias;
    const bias = attached.reduce(
      (b, { method, params, context }) => mergeBias(method, b, params, context, { weight, bias: before }),
      before,
    );
    if (bias && bias !== before) merged.set(biasName, bias);
  }
  mergePlaced(model, states, merged, safe);
  return merged;
}

/** Adapters merged one after the other; norms are taken of the weight before all of them (`weight` if not given), as PEFT does. */
function mergeAll(
  attached: readonly Attached[],
  weight: Tensor,
  { unmerged = weight, safe, dtype }: { readonly unmerged?: Tensor; readonly safe: boolean; readonly dtype: Tensor["dtype"] },
): Tensor {
  return attached.reduce(
    (current, { method, params, context }) =>
      mergeWeight(method, current, params, context as AdapterContext<never>, { safeMerge: safe, dtype, unmerged }),
    weight,
  );
}

/**
 * Merges layers that the model holds in other tensors, adapter by adapter, into `changes`.
 * @throws CapabilityError kind `several-methods` if a tensor is changed both as a whole and in parts
 */
function mergePlaced(
  model: HookedModel<never, unknown>,
  states: readonly AdapterState[],
  changes: Map<string, Tensor>,
  safe: boolean,
): void {
  if (!states.some(({ placed }) => placed && placed.size > 0)) return;
  const { values } = hostOf(model, undefined);
  const wholes = wholeTensors(states);
  const before = (name: string): Tensor => wholes.get(name) ?? values!(name)!;
  const now = (name: string): Tensor => changes.get(name) ?? before(name);
  const direct = new Set(
    states.flatMap(({ layers, placed }) =>
      [...layers].flatMap(([path, [one]]) => (placed?.has(path) ? [] : weightName({ path, layer: one!.context.layer }))),
    ),
  );
  for (const { layers, placed } of states) {
    const pieces = new Map<string, Piece[]>();
    const put = (placement: Placement, values: Tensor): void => {
      for (const [name, piece] of spreadPlaced(placement, values)) pieces.set(name, [...(pieces.get(name) ?? []), piece]);
    };
    for (const [path, at] of placed ?? []) {
      const attached = layers.get(path)!;
      const [weight, unmerged] = [gatherPlaced(at.weight, now), gatherPlaced(at.weight, before)];
      put(at.weight, mergeAll(attached, weight, { unmerged, safe, dtype: weight.dtype }));
      const [bias, biasBefore] = at.bias ? [gatherPlaced(at.bias, now), gatherPlaced(at.bias, before)] : [];
      const changed = attached.reduce(
        (b, { method, params, context }) => mergeBias(method, b, params, context, { weight: unmerged, bias: biasBefore }),
        bias,
      );
      if (changed && changed !== bias) put(at.bias!, changed);
    }
    for (const [name, list] of pieces) {
      if (direct.has(name))
        throw new CapabilityError(`${name}: one adapter changes it as a whole, another in parts; which comes first is not known`, {
          kind: "several-methods",
          tensor: name,
          hint: "merge one of them first, and load the other on the result",
        });
      changes.set(name, withPieces(now(name).shape, list, now(name)));
    }
  }
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
