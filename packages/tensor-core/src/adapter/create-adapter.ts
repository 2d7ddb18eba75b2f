import { CapabilityError } from "../errors.js";
import { torchGenerator } from "../random/index.js";
import { AdaptedLayer } from "./adapted-layer.js";
import { AdapterGroup } from "./adapter-group.js";
import { initLayer, initShared } from "./init.js";
import type { BaseLayer, LayerSpec } from "./layer.js";
import type { AdapterMethod } from "./method.js";

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

/**
 * A new adapter over layers given by path, initialised as PEFT does.
 * @param config a checked config; what its patterns say for single modules is not applied: give such layers their own adapter
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
  const allotted = method.allot?.(
    config,
    specs.map(({ layer }) => layer),
  );
  const shared = initShared(method, config, specs, generator);
  const adapted = new Map<string, AdaptedLayer<C>>();
  for (const [index, { path, layer, base }] of specs.entries()) {
    const origin = { path, weight: () => base.weight, bias: () => base.bias, index, count: specs.length };
    const { config: found, params } = allotted?.[index] ?? {};
    const made = await initLayer(method, { ...config, ...found }, layer, generator, origin, shared, params);
    adapted.set(
      path,
      new AdaptedLayer(method, made.config, layer, made.weight ? { ...base, weight: made.weight } : base, made.params, made.others),
    );
  }
  return new AdapterGroup(adapted);
}
