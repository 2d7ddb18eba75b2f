import { type DType, isFloat } from "../dtype.js";
import { CapabilityError, DTypeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { add, sub, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { zeros } from "../ops/create.js";
import { sizeOf } from "../shape.js";
import { dropped, inputDropout } from "./training-pass.js";
import { type BaseLayer, forwardBase, type LayerSpec } from "./layer.js";
import type { AdapterContext, AdapterMethod, Attached, Params, UnmergedBias } from "./method.js";

/** The factor on the adapter's effect, and how the result is rounded. */
export interface MergeWeightOptions {
  /** Round as PEFT does with `safe_merge=True`, which for some methods is not as it does without. */
  readonly safeMerge?: boolean;
  /** Dtype of the result; that of the weight if not given. A result in f32 is computed as if the weight were in f32. */
  readonly dtype?: DType;
  /** The weight before other adapters were merged into it; the weight itself if not given. */
  readonly unmerged?: Tensor;
}

/** W' of a method and a weight, rounded as PEFT does. Lazy: slices of the result compute only those rows. @throws CapabilityError if the method cannot be merged */
export function mergeWeight<C>(
  method: AdapterMethod<C>,
  weight: Tensor,
  params: Params,
  context: AdapterContext<C>,
  options: MergeWeightOptions = {},
): Tensor {
  if (!isFloat(weight.dtype)) throw new DTypeError(`merge: the base weight is ${weight.dtype}, not a float`);
  const dtype = options.dtype ?? weight.dtype;
  const [held, unmerged] = [weight, options.unmerged ?? weight].map((w) => (dtype === "f32" ? cast(w, "f32") : w)) as [Tensor, Tensor];
  const rounding = method.rounding?.(context.layer, context.config)[options.safeMerge ? "safeMerge" : "merge"] ?? "once";
  const special = method.merge?.(held, params, context, { rounding, dtype });
  if (special) return special;
  const transformed = method.transform?.(held, params, context, unmerged);
  if (transformed) return cast(transformed, dtype);
  if (!method.delta)
    throw new CapabilityError(`${method.name} cannot be merged: ${method.unmergeable ?? "it has neither a delta nor a transform"}`, {
      kind: "not-mergeable",
      hint: "keep it unmerged",
    });
  const delta = method.delta(params, context);
  return cast(add(cast(held, "f32"), cast(rounding === "twice" ? cast(delta, held.dtype) : delta, "f32")), dtype);
}

/**
 * The bias after merging, in its own dtype; undefined if there is none to change.
 * @param unmerged the layer before other adapters were merged into it: its bias (`bias` itself if not given), and its weight, which some methods need
 */
export function mergeBias<C>(
  method: AdapterMethod<C>,
  bias: Tensor | undefined,
  params: Params,
  context: AdapterContext<C>,
  unmerged: { readonly [K in keyof UnmergedBias]?: Tensor | undefined } = {},
): Tensor | undefined {
  const changed = bias && method.biasTransform?.(bias, params, context, { ...unmerged, bias: unmerged.bias ?? bias });
  if (changed) return cast(changed, bias.dtype);
  const delta = method.biasDelta?.(params, context);
  if (!delta) return bias;
  if (!bias)
    throw new CapabilityError(`${method.name}: the adapter has a bias, but the base layer has none to merge it into`, {
      hint: "keep the adapter unmerged, or give the base layer a bias of zeros",
    });
  return cast(add(cast(bias, "f32"), cast(delta, "f32")), bias.dtype);
}

/**
 * ΔW in f32 of an adapter that adds a change of its parameters alone to the weight, and perhaps one to the bias (`biasDelta`); zeros where that is all.
 * Undefined for one that scales, turns or replaces what the layer has.
 */
export function additiveDelta<C>(method: AdapterMethod<C>, params: Params, context: AdapterContext<C>): Tensor | undefined {
  if (method.biasTransform) return undefined;
  const some = zeros(context.layer.shape);
  const transformed = method.transform?.(some, params, context, some);
  if (transformed) return transformed === some ? some : undefined;
  const delta = method.delta?.(params, context);
  return delta && cast(delta, "f32");
}

/** Takes an additive method's Δ out of a merged weight again; Δ is rounded to the weight's dtype, as PEFT does, so low precisions do not come back exactly. */
export function unmergeWeight<C>(method: AdapterMethod<C>, weight: Tensor, params: Params, context: AdapterContext<C>): Tensor {
  const delta = method.delta && additiveDelta(method, params, context);
  if (!delta)
    throw new CapabilityError(`${method.name}: a merge of this method is not undone from the merged weight alone; keep the base weight`);
  return cast(sub(cast(weight, "f32"), cast(cast(delta, weight.dtype), "f32")), weight.dtype);
}

/** What a method's forward applies to the adapter's input in training; PEFT drops nothing of an embedding's ids. */
function inputDrop({ method, context }: Attached): ((x: Tensor) => Tensor) | undefined {
  const { config, layer, mask } = context;
  const found = mask && layer.kind !== "embedding" ? inputDropout(method, config) : undefined;
  return found && ((x) => dropped(x, found.rate, mask));
}

/**
 * A layer with adapters, unmerged. One adapter runs by its method's forward. Several add up as in PEFT: each sees the
 * same input, and the result is that of the first with the effects of the others (their result less the base's) on top.
 * Contexts that have a `mask` train: there the dropout of each adapter's config acts.
 */
export function forwardAdapters(layer: LayerSpec, base: BaseLayer, adapters: readonly Attached[], x: Tensor): Tensor {
  if (adapters.length === 0) return forwardBase(layer, base, x);
  let stacked: BaseLayer = base;
  for (const attached of adapters) {
    const { method, params, context, active } = attached;
    const [below, drop] = [stacked, inputDrop(attached)];
    const run = (input: Tensor): Tensor => {
      const y = method.forward(input, below, params, context, drop);
      return active ? where(active, y, forwardBase(layer, below, input)) : y;
    };
    stacked = { ...base, forward: run };
  }
  return stacked.forward!(x);
}

/** Numbers of parameters of a layer's adapter: those that train, and all of them. */
export function countParameters<C>(method: AdapterMethod<C>, config: C, layer: LayerSpec): { trainable: number; total: number } {
  const specs = Object.values(method.parameters(config, layer));
  const count = (list: typeof specs): number => list.reduce((sum, s) => sum + sizeOf(s.shape), 0);
  return { trainable: count(specs.filter((s) => s.trainable)), total: count(specs) };
}
