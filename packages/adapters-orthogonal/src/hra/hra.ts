import {
  type AdapterMethod,
  isConv,
  type LayerSpec,
  type ParameterSpec,
  tensor,
  torchKaimingUniform,
  type TorchGenerator,
} from "@weft/tensor-core";
import { checkLayer, forwardRotatedInput, forwardWeight, rotatedWidth, transformRows } from "../rotate.js";
import { HRA_FIELDS, type HRAConfigFields } from "./config.js";
import { reflections } from "./reflections.js";

function parameters({ r }: HRAConfigFields, layer: LayerSpec): { readonly [name: string]: ParameterSpec } {
  checkLayer("HRA", layer, ["linear", "conv2d"]);
  return { u: { shape: [rotatedWidth(layer), r], init: { kind: "kaimingUniform" }, trainable: true } };
}

/** Pairs of equal columns, whose reflections undo each other; columns at random where r is odd. */
function initial({ r, initWeights }: HRAConfigFields, width: number, generator: TorchGenerator): Float32Array {
  if (!initWeights || r % 2 !== 0) return torchKaimingUniform(generator, [width, r]);
  const half = torchKaimingUniform(generator, [width, r / 2]);
  return Float32Array.from({ length: width * r }, (_, i) => half[i >> 1]!);
}

/**
 * HRA (Yuan et al. 2024): W' = W·H with H a product of r Householder reflections (or I - 2U·Uᵀ of orthogonalised vectors), y = W·(x·Hᵀ),
 * for Linear and Conv2d (on in·k·k).
 * @see peft `tuners/hra/layer.py`
 */
export const HRA: AdapterMethod<HRAConfigFields> = {
  name: "HRA",
  prefix: "hra_",
  fields: HRA_FIELDS,
  configFromShapes: (config, _, { u }) => (u?.length === 2 ? { ...config, r: u[1]! } : config),
  checkNew({ r, initWeights }, layer) {
    const width = rotatedWidth(layer);
    return [
      ...(r > width ? [`r is ${r}, but ${width} reflections give every rotation of ${width} features`] : []),
      ...(initWeights && r % 2 !== 0 ? [`r is ${r}, an odd number of reflections: they cannot begin in pairs, without effect`] : []),
    ];
  },
  parameters,
  keys: () => ({ u: ["hra_u"] }),
  init(config, layer, generator) {
    const { shape } = parameters(config, layer).u!;
    return Promise.resolve({ params: { u: tensor(initial(config, shape[0]!, generator), { shape }) } });
  },
  transform: (weight, { u }, context) => transformRows(weight, context, reflections(u!, context.config.applyGS).weight),
  forward(x, base, params, context) {
    const { layer, config } = context;
    if (isConv(layer)) return forwardWeight(x, base, layer, HRA.transform!(base.weight, params, context, base.weight)!);
    return forwardRotatedInput(x, base, context, reflections(params.u!, config.applyGS));
  },
};
