import {
  CapabilityError,
  ConfigError,
  featuresOf,
  type Initialised,
  initParameter,
  isConv,
  type LayerSpec,
  type ParameterSpec,
  type Params,
  sizeOf,
  tensor,
  type Tensor,
  type TorchGenerator,
  torchKaimingUniform,
  torchNormal,
  torchUniform,
  zeros,
} from "@weft/tensor-core";
import { matrix, type Matrix, product, qr, transposed } from "@weft/tensor-core/linalg";
import type { LoraConfigFields } from "../lora/config.js";
import { magnitudeOf } from "../lora/dora.js";
import { doraDelta, loraParameters, plainParameters } from "../lora/factors.js";
import { loraVariant } from "../variants/variants.js";
import { baseChange } from "./base-change.js";
import { decompose, withoutFactors } from "./residual.js";
import { pickRows, range, toTensor } from "./host-matrix.js";

/** What torch's own layer constructors put into A, B and the bias. PEFT builds them first and initialises them afterwards, so the draws count for the seed either way. */
function drawAsLayers(specs: { readonly [name: string]: ParameterSpec }, layer: LayerSpec, generator: TorchGenerator): Params {
  const { A, B, bias } = specs as { A: ParameterSpec; B: ParameterSpec; bias?: ParameterSpec };
  const draw = ({ shape }: ParameterSpec): Tensor =>
    tensor(layer.kind === "embedding" ? torchNormal(generator, sizeOf(shape)) : torchKaimingUniform(generator, shape), { shape });
  const bound = 1 / Math.sqrt(sizeOf(B.shape.slice(1)));
  return {
    A: draw(A),
    B: draw(B),
    ...(bias && { bias: tensor(torchUniform(generator, sizeOf(bias.shape), -bound, bound), { shape: bias.shape }) }),
  };
}

const tenth = (m: Matrix): Matrix =>
  matrix(
    m.rows,
    m.cols,
    m.data.map((x) => x / 10),
  );

/** A and B from interleaved rows of one orthogonal matrix, so that B·A = 0. @see peft `orthogonal_init` */
function orthogonal(r: number, inputs: number, out: number, generator: TorchGenerator): Params {
  if (r % 2 !== 0) throw new ConfigError(`the orthogonal initialisation needs an even rank, got r = ${r}`);
  const normal = (rows: number, cols: number): Matrix => matrix(rows, cols, torchNormal(generator, rows * cols));
  const { q } = qr(normal(r, r));
  const even = range(r / 2).map((i) => 2 * i);
  const odd = even.map((i) => i + 1);
  const A = tenth(transposed(product(normal(inputs, r / 2), pickRows(q, even))));
  const B = tenth(product(transposed(normal(r / 2, out)), pickRows(q, odd)));
  return { A: toTensor(A), B: toTensor(B) };
}

/** Initialisations whose factors are taken out of the base weight. */
const DECOMPOSING = /^(pissa(_niter_\d+)?|olora)$/;

/** Where the starts that need data are. */
const STARTS: { readonly [name: string]: string } = {
  corda: "initializeLoraCordaWeights",
  lora_ga: "initializeLoraGaWeights",
  loftq: "initializeLoraLoftQWeights",
};

/**
 * The parameters of a new adapter on one layer, as PEFT initialises them: `true` is bit-equal to torch for the same
 * generator state (layers in the order of the model).
 * @param weight the base weight; needed where it is decomposed (PiSSA, OLoRA, KaSA, MiCA). Where that changes it, the weight that takes its place comes back too
 * @throws CapabilityError for initialisations that need data
 */
export async function initLora(
  config: LoraConfigFields,
  layer: LayerSpec,
  generator: TorchGenerator,
  weight?: Tensor,
): Promise<Initialised> {
  const { initLoraWeights: name } = config;
  const stored = loraParameters(config, layer);
  const start = typeof name === "string" ? STARTS[name] : undefined;
  if (start)
    throw new CapabilityError(`init_lora_weights "${name}" begins with data that a config does not hold`, {
      hint: `create the adapter with init_lora_weights true, then call ${start}`,
    });
  const plain = await initPlain(config, layer, generator, weight);
  const variant = loraVariant(config);
  const params = { ...plain, ...(await variant?.init?.(plain, config, layer, generator, weight)) };
  const own = Object.fromEntries(Object.keys(stored).flatMap((key) => (params[key] ? [[key, params[key]]] : [])));
  const removed = DECOMPOSING.test(String(name)) ? plain : weight && (await variant?.removed?.(config, layer, weight));
  const result = {
    params: own,
    ...(removed && weight && { weight: withoutFactors(weight, removed, config, layer) }),
    ...(removed && baseChange(config)?.determined === false && { removed: { A: removed["A"]!, B: removed["B"]! } }),
  };
  return config.useDora ? withMagnitude(result, config, layer, weight) : result;
}

async function initPlain(
  config: LoraConfigFields,
  layer: LayerSpec,
  generator: TorchGenerator,
  weight: Tensor | undefined,
): Promise<Params> {
  const { initLoraWeights: name } = config;
  const { magnitude: _, ...specs } = plainParameters(config, layer);
  const built = drawAsLayers(specs, layer, generator);
  if (name === false || name === "mica") return built;
  if (name === "eva") return { ...built, B: zeros(specs.B!.shape) };
  if (name === true || name === "gaussian")
    return Object.fromEntries(Object.entries(specs).map(([key, spec]) => [key, initParameter(spec, generator)]));
  if (isConv(layer) || layer.kind === "embedding" || layer.kind === "parameter")
    throw new ConfigError(`init_lora_weights "${name}" is for linear layers, got ${layer.kind}`);
  const { in: inputs, out } = featuresOf(layer);
  if (name === "orthogonal") return { ...built, ...orthogonal(config.r, inputs, out, generator) };
  if (!weight) throw new ConfigError(`init_lora_weights "${name}" decomposes the base weight, but none was given`);
  return { ...built, ...(await decompose(config, layer, weight)) };
}

/** DoRA's magnitude starts as the norms of W + Δ, so that the adapter changes nothing. */
function withMagnitude(result: Initialised, config: LoraConfigFields, layer: LayerSpec, weight: Tensor | undefined): Initialised {
  const base = result.weight ?? weight;
  if (!base) throw new ConfigError("use_dora starts from the norms of the base weight, but none was given");
  const magnitude = magnitudeOf(base, doraDelta(result.params, { layer, config, scale: 1 }), layer);
  return { ...result, params: { ...result.params, magnitude } };
}
