import {
  add,
  type AdapterContext,
  type AdapterMethod,
  additiveDelta,
  type Attached,
  CapabilityError,
  cast,
  forwardAdapters,
  type Tensor,
} from "@weft/tensor-core";

/** What is added up on a layer: adapters of any additive methods, each with its weight as the `scale` of its context. */
export interface WeightedSumConfig {
  readonly summands: readonly Attached[];
}

/** The summands at the strength that the sum has. */
const atScale = ({ config: { summands }, scale, mask, uniform, noise }: AdapterContext<WeightedSumConfig>): readonly Attached[] =>
  summands.map(({ context, ...one }) => ({
    ...one,
    context: { ...context, ...(mask && { mask }), ...(uniform && { uniform }), ...(noise && { noise }), scale: context.scale * scale },
  }));

const sum = (tensors: readonly Tensor[]): Tensor => tensors.map((t) => cast(t, "f32")).reduce((total, t) => add(total, t));

/**
 * ΔW = Σ wᵢ·ΔWᵢ of adapters of different methods, and Δb = Σ wᵢ·Δbᵢ, in f32. It is made of what its summands hold, and trains nothing itself.
 * No file holds it.
 */
export const WEIGHTED_SUM: AdapterMethod<WeightedSumConfig> = {
  name: "WEIGHTED_SUM",
  prefix: "",
  fields: {},
  parameters: () => ({}),
  keys() {
    throw new CapabilityError("no file format holds a weighted sum of adapters of different methods", {
      kind: "not-peft",
      hint: "addWeightedAdapter(names, weights, name, { rank }) makes a LoRA of the sum by its singular values; or merge it, and `weft extract` one from base and result",
    });
  },
  delta: (_, context) => sum(atScale(context).map(({ method, params, context: own }) => additiveDelta(method, params, own)!)),
  biasDelta(_, context) {
    const deltas = atScale(context).flatMap(({ method, params, context: own }) => method.biasDelta?.(params, own) ?? []);
    return deltas.length > 0 ? sum(deltas) : undefined;
  },
  forward: (x, base, _, context) => forwardAdapters(context.layer, base, atScale(context), x),
};
