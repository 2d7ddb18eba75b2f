import type { TorchGenerator } from "../random/index.js";
import { AdaptedLayer } from "./adapted-layer.js";
import { initLayer } from "./init.js";
import type { BaseLayer, LayerSpec } from "./layer.js";
import type { AdapterMethod, Params } from "./method.js";

/** A base layer to adapt: its weight [out, in] (conv [out, in, *kernel], embedding [vocabulary, dim]) and what kind it is. */
export interface LayerInput extends BaseLayer {
  /** `linear` unless said otherwise. */
  readonly kind?: LayerSpec["kind"];
  readonly conv?: LayerSpec["conv"];
  readonly norm?: LayerSpec["norm"];
}

/** A layer as methods see it, and its tensors. */
export interface SpecifiedLayer {
  readonly layer: LayerSpec;
  readonly base: BaseLayer;
}

/** A layer as the methods of a config see it. */
export function specOf(config: unknown, { kind = "linear", conv, norm, ...base }: LayerInput): SpecifiedLayer {
  const layer: LayerSpec = {
    kind,
    shape: base.weight.shape,
    dtype: base.weight.dtype,
    bias: base.bias !== undefined,
    transposed: kind === "linear" && Boolean((config as { readonly fanInFanOut?: boolean }).fanInFanOut),
    ...(conv && { conv }),
    ...(norm && { norm }),
  };
  return { layer, base };
}

/** A layer with its place among those of an adapter. */
export interface PlacedLayer extends SpecifiedLayer {
  readonly path: string;
  readonly index: number;
  readonly count: number;
}

/** A layer with a new adapter. @param allotted what it gets in view of all layers */
export async function adaptLayer<C>(
  method: AdapterMethod<C>,
  config: C,
  { path, layer, base, index, count }: PlacedLayer,
  generator: TorchGenerator,
  shared: Params,
  allotted?: Params,
): Promise<AdaptedLayer<C>> {
  const origin = { path, weight: () => base.weight, bias: () => base.bias, index, count };
  const made = await initLayer(method, config, layer, generator, origin, shared, allotted);
  const below = made.weight ? { ...base, weight: made.weight } : base;
  return new AdaptedLayer(method, made.config, layer, below, made.params, { shared: made.others, name: path });
}
