import {
  type AdapterContext,
  type AdapterMethod,
  add,
  type BaseLayer,
  cast,
  ConfigError,
  forwardBase,
  isFloat,
  type LayerKind,
  type LayerSpec,
  linear,
  mul,
  type Params,
  type ParameterSpec,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";

type Definition<C> = Omit<AdapterMethod<C>, "delta" | "transform" | "merge" | "forward">;
type Dropout = ((x: Tensor) => Tensor) | undefined;

/** A method that adds a ΔW of its parameters alone. */
interface Additive<C> extends Definition<C> {
  /** ΔW [out, in] in f32, at strength 1. */
  change(params: Params, config: C, layer: LayerSpec): Tensor;
  /** x·ΔWᵀ, where it is had without ΔW. */
  added?(x: Tensor, params: Params, config: C, layer: LayerSpec): Tensor;
}

/** A method whose ΔW depends on the weight. */
interface Rewriting<C> extends Definition<C> {
  /** ΔW in f32 at strength 1, for a weight in f32: [out, in] of a linear layer, as stored of others. */
  change(weight: Tensor, params: Params, config: C, layer: LayerSpec): Tensor;
}

/** @throws ConfigError if the method does not take such a layer */
export function requireKind(method: string, { kind, conv }: LayerSpec, kinds: readonly LayerKind[] = ["linear"]): void {
  if (!kinds.includes(kind)) throw new ConfigError(`${method} is for layers of kind ${kinds.join(", ")}, got ${kind}`);
  if ((conv?.groups ?? 1) !== 1) throw new ConfigError(`${method} on a convolution needs groups = 1, got ${conv!.groups}`);
}

export const trained = (shape: readonly number[], init: ParameterSpec["init"] = { kind: "zeros" }): ParameterSpec => ({
  shape,
  init,
  trainable: true,
});
export const fixed = (shape: readonly number[], init: ParameterSpec["init"] = { kind: "zeros" }): ParameterSpec => ({
  shape,
  init,
  trainable: false,
});

export const wide = (t: Tensor): Tensor => cast(t, "f32");
export const times = (t: Tensor, factor: number): Tensor => (factor === 1 ? t : mul(t, factor));
/** A matrix [out, in] as the layer stores it, and back. */
export const stored = (matrix: Tensor, { transposed }: LayerSpec): Tensor => (transposed ? swapLast(matrix) : matrix);

/** The layer with W + ΔW: in one product, unless dropout or another adapter stands between. */
function forwardChanged(x: Tensor, base: BaseLayer, layer: LayerSpec, change: Tensor, dropout: Dropout): Tensor {
  const dtype = isFloat(x.dtype) ? x.dtype : base.weight.dtype;
  if (!dropout && !base.forward) return cast(forwardBase(layer, base, x, add(wide(base.weight), change)), dtype);
  return cast(add(forwardBase(layer, base, x), forwardBase(layer, { weight: change }, dropout ? dropout(x) : x)), dtype);
}

/** The method of a ΔW: its delta, and the layer's result with it. */
export function additive<C>({ change, added, ...definition }: Additive<C>): AdapterMethod<C> {
  const delta = (params: Params, { layer, config, scale }: AdapterContext<C>): Tensor =>
    stored(times(change(params, config, layer), scale), layer);
  return {
    ...definition,
    delta,
    forward(x, base, params, context, dropout) {
      const { layer, config, scale } = context;
      if (!added) return forwardChanged(x, base, layer, delta(params, context), dropout);
      const y = forwardBase(layer, base, x);
      return cast(add(y, times(added(dropout ? dropout(x) : x, params, config, layer), scale)), y.dtype);
    },
  };
}

/** The method of a ΔW that depends on the weight as it was before any adapter. */
export function rewriting<C>({ change, ...definition }: Rewriting<C>): AdapterMethod<C> {
  const changeOf = (weight: Tensor, params: Params, { layer, config, scale }: AdapterContext<C>): Tensor =>
    stored(times(change(stored(wide(weight), layer), params, config, layer), scale), layer);
  return {
    ...definition,
    transform: (weight, params, context, unmerged) => add(wide(weight), changeOf(unmerged, params, context)),
    forward: (x, base, params, context, dropout) => forwardChanged(x, base, context.layer, changeOf(base.weight, params, context), dropout),
  };
}

/** x·Aᵀ·Bᵀ for A [r, in], B [out, r]. */
export const lowRank = (x: Tensor, A: Tensor, B: Tensor): Tensor => linear(linear(x, A), B);
