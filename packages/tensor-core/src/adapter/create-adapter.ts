import { CapabilityError } from "../errors.js";
import { tensor } from "../ops/create.js";
import { type TorchGenerator, torchGenerator } from "../random/index.js";
import { AdaptedLayer } from "./adapted-layer.js";
import { AdapterGroup } from "./adapter-group.js";
import { initLayer, initParameters } from "./init.js";
import type { BaseLayer, LayerSpec } from "./layer.js";
import type { AdapterMethod, Params, SharedParameters } from "./method.js";

/** A base layer to adapt: its weight [out, in] (conv [out, in, *kernel], embedding [vocabulary, dim]) and what kind it is. */
export interface LayerInput extends BaseLayer {
  /** `linear` unless said otherwise. */
  readonly kind?: LayerSpec["kind"];
  readonly conv?: LayerSpec["conv"];
  readonly norm?: LayerSpec["norm"];
}

export interface CreateAdapterOptions {
  /** Layers get the numbers that torch would draw for them in this order after `torch.manual_seed(seed)`. */
  readonly seed?: number;
}

/** New values of the parameters that all layers share. */
function newShared<C>(shared: SharedParameters<C>, config: C, layers: readonly LayerSpec[], generator: TorchGenerator): Params {
  const specs = shared.parameters(config, layers);
  if (!shared.rebuild) return initParameters(specs, generator);
  const values = shared.rebuild(config, specs);
  return Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, tensor(values[name]!, { shape })]));
}

/**
 * A new adapter over layers given by path, initialised as PEFT does.
 * @param config a checked config; what it says for single modules (`configAt`) is not applied: give such layers their own adapter
 * @throws ConfigError, ShapeError if config and layers do not fit
 */
export async function createAdapter<C>(
  method: AdapterMethod<C>,
  config: C,
  layers: { readonly [path: string]: LayerInput },
  options: CreateAdapterOptions = {},
): Promise<AdapterGroup<C>> {
  if (method.tied && Object.keys(layers).length > 1)
    throw new CapabilityError(`${method.name}: layers have parameters in common by their place in a model`, {
      hint: "put it on a model with PeftModel, or on one layer",
    });
  const generator = torchGenerator(options.seed ?? 0);
  const specs = Object.entries(layers).map(([path, { kind = "linear", conv, norm, ...base }]) => {
    const layer: LayerSpec = {
      kind,
      shape: base.weight.shape,
      dtype: base.weight.dtype,
      bias: base.bias !== undefined,
      transposed: kind === "linear" && Boolean((config as { readonly fanInFanOut?: boolean }).fanInFanOut),
      ...(conv && { conv }),
      ...(norm && { norm }),
    };
    return { path, layer, base };
  });
  const layerSpecs = specs.map(({ layer }) => layer);
  const shared = method.shared ? newShared(method.shared, config, layerSpecs, generator) : {};
  const allotted = method.allot?.(config, layerSpecs);
  const adapted = new Map<string, AdaptedLayer<C>>();
  for (const [i, { path, layer, base }] of specs.entries()) {
    const own = { ...config, ...allotted?.[i]?.config };
    const { params, weight } = await initLayer(method, own, layer, generator, base.weight, base.bias);
    const fixed = allotted?.[i]?.params ?? {};
    const stored = Object.fromEntries(Object.entries(params).map(([name, t]) => [name, fixed[name] ?? t]));
    adapted.set(path, new AdaptedLayer(method, own, layer, weight ? { ...base, weight } : base, stored, { ...shared, ...fixed }));
  }
  return new AdapterGroup(adapted);
}
