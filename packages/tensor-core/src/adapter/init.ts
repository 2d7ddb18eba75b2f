import type { Tensor } from "../graph.js";
import { tensor } from "../ops/create.js";
import { torchKaimingUniform, torchNormal, torchUniform, type TorchGenerator } from "../random/index.js";
import { sizeOf } from "../shape.js";
import type { LayerSpec } from "./layer.js";
import type { AdapterMethod, Initialised, ParameterSpec, Params } from "./method.js";

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

/** A new adapter of one layer: by the method's own `init`, else each parameter by its own. */
export async function initLayer<C>(
  method: AdapterMethod<C>,
  config: C,
  layer: LayerSpec,
  generator: TorchGenerator,
  weight?: Tensor,
  bias?: Tensor,
): Promise<Initialised> {
  return (
    (await method.init?.(config, layer, generator, weight, bias)) ?? { params: initParameters(method.parameters(config, layer), generator) }
  );
}
