import {
  cast,
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
  sub,
  tensor,
  type Tensor,
  type TorchGenerator,
  torchKaimingUniform,
  torchNormal,
  torchUniform,
} from "@weft/tensor-core";
import { type LoraConfigFields, loraScaling } from "../lora/config.js";
import { magnitudeOf } from "../lora/dora.js";
import { loraDelta, loraParameters } from "../lora/factors.js";
import { columns, matrix, type Matrix, product, qr, transposed, truncatedSvd } from "@weft/tensor-core/linalg";

const toTensor = (m: Matrix): Tensor => tensor(Float32Array.from(m.data), { shape: [m.rows, m.cols] });

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

/** The rows of `m` from `first` in steps of 2. */
function everySecondRow(m: Matrix, first: number): Matrix {
  const rows = Math.floor((m.rows - first + 1) / 2);
  return matrix(
    rows,
    m.cols,
    Float64Array.from({ length: rows * m.cols }, (_, i) => m.data[(first + 2 * Math.floor(i / m.cols)) * m.cols + (i % m.cols)]!),
  );
}

/** A and B from interleaved rows of one orthogonal matrix, so that B·A = 0. @see peft `orthogonal_init` */
function orthogonal(r: number, inputs: number, out: number, generator: TorchGenerator): Params {
  if (r % 2 !== 0) throw new ConfigError(`the orthogonal initialisation needs an even rank, got r = ${r}`);
  const normal = (rows: number, cols: number): Matrix => matrix(rows, cols, torchNormal(generator, rows * cols));
  const { q } = qr(normal(r, r));
  const tenth = (m: Matrix): Matrix =>
    matrix(
      m.rows,
      m.cols,
      m.data.map((x) => x / 10),
    );
  const A = tenth(transposed(product(normal(inputs, r / 2), everySecondRow(q, 0))));
  const B = tenth(product(transposed(normal(r / 2, out)), everySecondRow(q, 1)));
  return { A: toTensor(A), B: toTensor(B) };
}

/** W = U·S·Vᵀ; A = √(S_r/s)·V_rᵀ, B = U_r·√(S_r/s), so that s·B·A is the rank-r part of W. @see Meng et al. 2024 (PiSSA) */
function pissa(w: Matrix, r: number, s: number): Params {
  const { u, s: values, vt } = truncatedSvd(w, r);
  const root = values.map((v) => Math.sqrt(v / s));
  return {
    A: toTensor(
      matrix(
        vt.rows,
        vt.cols,
        vt.data.map((x, i) => x * root[Math.floor(i / vt.cols)]!),
      ),
    ),
    B: toTensor(
      matrix(
        u.rows,
        u.cols,
        u.data.map((x, i) => x * root[i % u.cols]!),
      ),
    ),
  };
}

/** W = Q·R; B = first r columns of Q, A = first r rows of R. @see Büyükakyüz 2024 (OLoRA) */
function olora(w: Matrix, r: number): Params {
  const { q, r: upper } = qr(w);
  return { A: toTensor(matrix(r, upper.cols, upper.data.slice(0, r * upper.cols))), B: toTensor(columns(q, r)) };
}

/** W as a host matrix [out, in]. */
async function hostMatrix(weight: Tensor, layer: LayerSpec): Promise<Matrix> {
  const values = await cast(weight, "f32").data();
  const m = matrix(layer.shape[0]!, layer.shape[1]!, values);
  return layer.transposed ? transposed(m) : m;
}

/** Initialisations that decompose the base weight, and so change it. */
const DECOMPOSING = /^(pissa(_niter_\d+)?|olora)$/;

/** Initialisations that need data from outside (activations, gradients) or a quantiser; their adapters load as plain A, B where the base is not changed. */
const NEEDS_DATA = new Set(["corda", "lora_ga", "loftq", "mica"]);

/**
 * The parameters of a new adapter on one layer, as PEFT initialises them: `true` is bit-equal to torch for the same
 * generator state (layers in the order of the model).
 * @param weight the base weight; needed by PiSSA and OLoRA, which also return the weight that takes its place
 * @throws CapabilityError for initialisations that need data
 */
export async function initLora(
  config: LoraConfigFields,
  layer: LayerSpec,
  generator: TorchGenerator,
  weight?: Tensor,
): Promise<Initialised> {
  const name = config.initLoraWeights;
  const specs = loraParameters(config, layer);
  if (typeof name === "string" && NEEDS_DATA.has(name))
    throw new CapabilityError(`init_lora_weights "${name}" needs recorded activations or gradients, which weft does not collect`, {
      hint: "use true, gaussian, orthogonal, pissa or olora",
    });
  const built = drawAsLayers(specs, layer, generator);
  const result = await initialise(config, layer, generator, weight, specs, built);
  return config.useDora ? withMagnitude(result, config, layer, weight) : result;
}

async function initialise(
  config: LoraConfigFields,
  layer: LayerSpec,
  generator: TorchGenerator,
  weight: Tensor | undefined,
  specs: { readonly [name: string]: ParameterSpec },
  built: Params,
): Promise<Initialised> {
  const name = config.initLoraWeights;
  if (name === false) return { params: built };
  if (name === true || name === "gaussian" || name === "eva") {
    const { magnitude: _, ...own } = specs;
    return { params: Object.fromEntries(Object.entries(own).map(([key, spec]) => [key, initParameter(spec, generator)])) };
  }
  if (isConv(layer) || layer.kind === "embedding" || layer.kind === "parameter")
    throw new ConfigError(`init_lora_weights "${name}" is for linear layers, got ${layer.kind}`);
  const { in: inputs, out } = featuresOf(layer);
  if (name === "orthogonal") return { params: { ...built, ...orthogonal(config.r, inputs, out, generator) } };
  if (!weight) throw new ConfigError(`init_lora_weights "${name}" decomposes the base weight, but none was given`);
  return decompose(config, layer, weight, built);
}

async function decompose(config: LoraConfigFields, layer: LayerSpec, weight: Tensor, built: Params): Promise<Initialised> {
  const w = await hostMatrix(weight, layer);
  const factors = config.initLoraWeights === "olora" ? olora(w, config.r) : pissa(w, config.r, loraScaling(config));
  const params = { ...built, ...factors };
  return { params, weight: residual(weight, params, config, layer) };
}

/** W - s·B·A in the dtype of W. */
function residual(weight: Tensor, params: Params, config: LoraConfigFields, layer: LayerSpec): Tensor {
  return cast(sub(cast(weight, "f32"), loraDelta(params, { layer, config, scale: 1 })), weight.dtype);
}

/**
 * The base weight that an adapter with a decomposing initialisation was trained on: loading such an adapter decomposes the
 * base again, as PEFT does, and takes the initial s·B·A out of it.
 */
export async function residualWeight(config: LoraConfigFields, layer: LayerSpec, weight: Tensor): Promise<Tensor> {
  if (typeof config.initLoraWeights !== "string" || !DECOMPOSING.test(config.initLoraWeights)) return weight;
  return (await decompose(config, layer, weight, {})).weight!;
}

/** DoRA's magnitude starts as the norms of W + Δ, so that the adapter changes nothing. */
function withMagnitude(result: Initialised, config: LoraConfigFields, layer: LayerSpec, weight: Tensor | undefined): Initialised {
  const base = result.weight ?? weight;
  if (!base) throw new ConfigError("use_dora starts from the norms of the base weight, but none was given");
  const magnitude = magnitudeOf(base, loraDelta(result.params, { layer, config, scale: 1 }), layer);
  return { ...result, params: { ...result.params, magnitude } };
}
