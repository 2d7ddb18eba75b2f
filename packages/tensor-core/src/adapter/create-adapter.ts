import { CapabilityError } from "../errors.js";
import { torchGenerator } from "../random/index.js";
import type { AdaptedLayer } from "./adapted-layer.js";
import { AdapterGroup } from "./adapter-group.js";
import { adaptLayer, type LayerInput, specOf } from "./adapt-layer.js";
import { assertNewLayer, assertOfLayers, type CheckOptions } from "./check-new-layer.js";
import { initShared } from "./init.js";
import type { AdapterMethod } from "./method.js";

/** What a new adapter over one layer is made with. */
export interface CreateAdapterOptions extends CheckOptions {
  /** Layers get the numbers that torch would draw for them in this order after `torch.manual_seed(seed)`. */
  readonly seed?: number;
}

/**
 * A new adapter over layers given by path, initialised as PEFT does.
 * @param config a checked config. `target_modules` and what goes with it have no effect: the layers are those given
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
  assertOfLayers(method, config);
  const { seed = 0, ...check } = options;
  const generator = torchGenerator(seed);
  const specs = Object.entries(layers).map(([path, input]) => ({ path, ...specOf(config, input) }));
  for (const { path, layer } of specs) assertNewLayer(method, config, layer, path, check);
  const allotted = method.allot?.(
    config,
    specs.map(({ layer }) => layer),
  );
  const shared = initShared(method, config, specs, generator);
  const adapted = new Map<string, AdaptedLayer<C>>();
  for (const [index, spec] of specs.entries()) {
    const { config: found, params } = allotted?.[index] ?? {};
    const own = { ...config, ...found };
    adapted.set(spec.path, await adaptLayer(method, own, { ...spec, index, count: specs.length }, generator, shared, params));
  }
  return new AdapterGroup(method, config, adapted, { generator, shared, ...check });
}
