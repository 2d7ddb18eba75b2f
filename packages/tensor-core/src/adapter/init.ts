import type { Tensor } from "../graph.js";
import { tensor } from "../ops/create.js";
import { torchKaimingUniform, torchNormal, torchUniform, type TorchGenerator } from "../random/index.js";
import { sizeOf } from "../shape.js";
import type { LayerSpec } from "./layer.js";
import type { AdaptedModule, AdapterMethod, Initialised, LayerOrigin, ParameterSpec, Params } from "./method.js";

/** A new parameter by its `init`, drawn as torch draws on the CPU. */
export function initParameter({ shape, init }: ParameterSpec, generator: TorchGenerator): Tensor {
  const constant = (value: number): Float32Array => new Float32Array(sizeOf(shape)).fill(value);
  const values = (): Float32Array => {
    if (init.kind === "kaimingUniform") return torchKaimingUniform(generator, shape);
    if (init.kind === "normal") return torchNormal(generator, sizeOf(shape), init.mean ?? 0, init.std);
    if (init.kind === "uniform") return torchUniform(generator, sizeOf(shape), -init.bound, init.bound);
    return constant(init.kind === "constant" ? init.value : init.kind === "ones" ? 1 : 0);
  };
  return tensor(values(), { shape });
}

/** New parameters by their `init`, in their order. */
export function initParameters(specs: { readonly [name: string]: ParameterSpec }, generator: TorchGenerator): Params {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, initParameter(spec, generator)]));
}

/** New values of the parameters that layers share; none if the method has none. */
export function initShared<C>(
  { shared }: AdapterMethod<C>,
  config: C,
  modules: readonly AdaptedModule[],
  generator: TorchGenerator,
): Params {
  if (!shared) return {};
  const specs = shared.parameters(config, modules);
  if (!shared.rebuild) return initParameters(specs, generator);
  const values = shared.rebuild(config, specs);
  return Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, tensor(values[name]!, { shape })]));
}

/** A new adapter of one layer, its shared and derived parameters beside its own. */
export interface InitialisedLayer<C> extends Initialised {
  /** The config with what the base told. */
  readonly config: C;
  /** Parameters that are not the layer's own: shared and derived ones. */
  readonly others: Params;
}

/**
 * A new adapter of one layer: by the method's own `init`, else each parameter by its own; what follows from the base by `derived`.
 * @param allotted what the layer gets in view of all others, in the place of own parameters where it is one
 */
export async function initLayer<C>(
  method: AdapterMethod<C>,
  config: C,
  layer: LayerSpec,
  generator: TorchGenerator,
  origin: LayerOrigin,
  shared: Params = {},
  allotted: Params = {},
): Promise<InitialisedLayer<C>> {
  const found = await method.derived?.derive(config, layer, origin, shared, true);
  const known = found?.config ?? config;
  const initialised = (await method.init?.(known, layer, generator, await origin.weight(), await origin.bias())) ?? {
    params: initParameters(method.parameters(known, layer), generator),
  };
  const begun: Params = { ...initialised.params, ...found?.initial };
  return {
    ...initialised,
    params: Object.fromEntries(Object.entries(begun).map(([name, t]) => [name, allotted[name] ?? t])),
    config: known,
    others: { ...shared, ...allotted, ...found?.params },
  };
}
