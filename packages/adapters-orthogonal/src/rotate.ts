import {
  add,
  type AdapterContext,
  type BaseLayer,
  cast,
  ConfigError,
  convLike,
  featuresOf,
  forwardBase,
  isConv,
  type LayerKind,
  type LayerSpec,
  mul,
  reshape,
  sizeOf,
  sub,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";

/** A rotation M of the features that a layer reads: applied to rows of the weight, W·Mᵀ, or to the input with the same effect, x·M. */
export interface Rotation {
  weight(rows: Tensor): Tensor;
  input(x: Tensor): Tensor;
}

/** The features that are rotated: what a filter or an output reads (in·∏kernel); of an embedding what it gives. */
export function rotatedWidth(layer: LayerSpec): number {
  if (isConv(layer)) return sizeOf(layer.shape.slice(1));
  return layer.kind === "embedding" ? layer.shape[1]! : featuresOf(layer).in;
}

/** @throws ConfigError if the method does not take such a layer */
export function checkLayer(method: string, layer: LayerSpec, kinds: readonly LayerKind[]): void {
  if (!kinds.includes(layer.kind)) throw new ConfigError(`${method} takes layers of kind ${kinds.join(", ")}; got ${layer.kind}`);
  const groups = layer.conv?.groups ?? 1;
  if (groups !== 1) throw new ConfigError(`${method} on a convolution needs groups = 1, got ${groups}: a rotation would mix the groups`);
}

/** Parameters of blocks [blocks, …] or [factors, blocks, …] in a training step, which leaves out some: zeros turn nothing. */
export function keptBlocks(R: Tensor, rate: number, mask: AdapterContext<never>["mask"]): Tensor {
  const inside = R.shape.length === 4 ? 2 : 1;
  return mask && rate > 0 ? mul(R, mask([...R.shape.slice(0, inside), ...R.shape.slice(inside).map(() => 1)], rate)) : R;
}

/** before + scale·(after - before): the effect of an adapter by the user's factor. */
export const blend = (before: Tensor, after: Tensor, scale: number): Tensor =>
  scale === 1 ? after : add(before, mul(sub(after, before), scale));

/** W' of any stored layout, from what happens to the rows [out, rotatedWidth] of the weight. */
export function transformRows(weight: Tensor, { layer, scale }: AdapterContext<unknown>, change: (rows: Tensor) => Tensor): Tensor {
  const turned = layer.kind === "linear" && layer.transposed;
  const rows = turned ? swapLast(weight) : isConv(layer) ? reshape(weight, [layer.shape[0]!, rotatedWidth(layer)]) : weight;
  const changed = blend(rows, change(rows), scale);
  return turned ? swapLast(changed) : reshape(changed, layer.shape);
}

/**
 * A linear layer on its rotated input: cheaper than rotating the weight by as much as there are fewer rows of x than outputs, and never
 * dearer than a small part of the layer's own product.
 */
export function forwardRotatedInput(x: Tensor, base: BaseLayer, { layer, scale }: AdapterContext<unknown>, rotation: Rotation): Tensor {
  return forwardBase(layer, base, cast(blend(x, rotation.input(x), scale), x.dtype));
}

/** A layer with W' in place of its weight; above another adapter, the difference that W' makes is added to that one's result. */
export function forwardWeight(x: Tensor, base: BaseLayer, layer: LayerSpec, weight: Tensor): Tensor {
  if (!base.forward) return forwardBase(layer, base, x, cast(weight, base.weight.dtype));
  const y = base.forward(x);
  const difference = cast(sub(weight, base.weight), x.dtype);
  return cast(add(y, isConv(layer) ? convLike(layer, x, difference) : forwardBase(layer, { weight: difference }, x)), y.dtype);
}
