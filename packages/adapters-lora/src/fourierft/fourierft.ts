import {
  type AdapterContext,
  type AdapterMethod,
  add,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  cos,
  div,
  featuresOf,
  type FieldTable,
  float,
  forwardBase,
  integer,
  iota,
  type LayerSpec,
  linear,
  matmul,
  mod,
  mul,
  oneOf,
  type Params,
  pattern,
  reshape,
  sin,
  sub,
  swapLast,
  TARGETING,
  tensor,
  type Tensor,
  torchGenerator,
  torchRandperm,
  strength,
} from "@weft/tensor-core";

/** More coefficients than any layer has entries that fit in memory. */
const MAX_FREQUENCIES = 2 ** 31 - 1;

/** PEFT 0.21.2's `FourierFTConfig` fields and defaults. @see peft `tuners/fourierft/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  n_frequency: integer(1000, 1, MAX_FREQUENCIES),
  scaling: strength(float(150)),
  random_loc_seed: integer(777, 0, Number.MAX_SAFE_INTEGER),
  fan_in_fan_out: boolean(false),
  bias: oneOf("none", ["none", "all", "fourier_only"]),
  n_frequency_pattern: pattern("n_frequency", 1, MAX_FREQUENCIES, true),
  init_weights: boolean(false),
};

/** The config of a FourierFT adapter. */
export interface FourierFTConfigFields {
  /** Number of trained coefficients of each layer. */
  readonly nFrequency: number;
  readonly scaling: number;
  /** Seed of the coefficients' positions. */
  readonly randomLocSeed: number;
  readonly fanInFanOut: boolean;
  readonly nFrequencyPattern: { readonly [module: string]: number };
  /** Coefficients begin as zeros; otherwise as normal numbers. */
  readonly initWeights: boolean;
}

/** PEFT's `FourierFTConfig` (`peft_type` FOURIERFT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const FourierFTConfig: ConfigClass<FourierFTConfigFields> = configClass("FOURIERFT", FIELDS);

type Context = AdapterContext<FourierFTConfigFields>;

/** Row and column of each coefficient in the spectrum [out, in]. */
function positions({ randomLocSeed, nFrequency }: FourierFTConfigFields, layer: LayerSpec): { rows: Int32Array; columns: Int32Array } {
  const { in: inputs, out } = featuresOf(layer);
  const places = torchRandperm(torchGenerator(randomLocSeed), out * inputs, nFrequency);
  return { rows: Int32Array.from(places, (p) => Math.floor(p / inputs)), columns: Int32Array.from(places, (p) => p % inputs) };
}

/**
 * The angles 2π·f·t/size of n frequencies f at the points t: [size, n]. Whole turns are taken off in integers, where it is exact; t in two
 * parts, so that products stay below 2³¹ for sizes up to 700 000.
 */
function angles(frequencies: Int32Array, size: number): Tensor {
  const n = frequencies.length;
  const row = (values: Int32Array): Tensor => tensor(values, { shape: [1, n] });
  const t = iota([size, n], 0);
  const coarse = mul(row(frequencies.map((f) => (f * 256) % size)), div(t, 256));
  const turns = mod(add(coarse, mul(row(frequencies), mod(t, 256))), size);
  return mul(cast(turns, "f32"), (2 * Math.PI) / size);
}

/**
 * Waves over the outputs and the inputs, [out, n] and [in, n], so that Re(ifft2(F)) = (C·diag(c)·C'ᵀ - S·diag(c)·S'ᵀ)/(out·in) for a spectrum F
 * that is c at n places: cos(α + β) = cos α·cos β - sin α·sin β.
 */
function waves({ layer, config }: Context): { out: Tensor; inputs: Tensor } {
  const { in: inputs, out } = featuresOf(layer);
  const { rows, columns } = positions(config, layer);
  return { out: angles(rows, out), inputs: angles(columns, inputs) };
}

/** The coefficients with the inverse transform's 1/(out·in) and the scaling. */
function coefficients({ spectrum }: Params, { layer, config, scale }: Context): Tensor {
  const { in: inputs, out } = featuresOf(layer);
  return mul(cast(spectrum!, "f32"), (config.scaling * scale) / (out * inputs));
}

/**
 * FourierFT (Gao et al. 2024): ΔW = scaling·Re(ifft2(F)), where F [out, in] has n learned coefficients at places drawn from a seed and zeros
 * elsewhere. Run as what it is, a product of rank 2n, without a transform. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/fourierft/layer.py`
 */
export const FOURIERFT: AdapterMethod<FourierFTConfigFields> = {
  name: "FOURIERFT",
  defaultTargets: { models: { gpt2: ["mlp.c_proj"], gpt_bigcode: ["mlp.c_proj"] } },
  prefix: "fourierft_",
  fields: FIELDS,
  parameters({ nFrequency, initWeights }, layer) {
    if (layer.kind !== "linear") throw new ConfigError(`FOURIERFT is for linear layers, got ${layer.kind}`);
    const { in: inputs, out } = featuresOf(layer);
    if (nFrequency > inputs * out) throw new ConfigError(`n_frequency is ${nFrequency}, but the layer has ${inputs * out} entries`);
    return { spectrum: { shape: [nFrequency], init: initWeights ? { kind: "zeros" } : { kind: "normal", std: 1 }, trainable: true } };
  },
  keys: () => ({ spectrum: ["fourierft_spectrum"] }),
  delta(params, context) {
    const { out, inputs } = waves(context);
    const c = coefficients(params, context);
    const product = sub(matmul(mul(cos(out), c), swapLast(cos(inputs))), matmul(mul(sin(out), c), swapLast(sin(inputs))));
    return cast(context.layer.transposed ? swapLast(product) : product, params.spectrum!.dtype);
  },
  forward(x, base, params, context) {
    const { layer } = context;
    const { out, inputs } = waves(context);
    const c = reshape(coefficients(params, context), [1, -1]);
    const y = forwardBase(layer, base, x);
    const input = cast(x, "f32");
    const through = (wave: (t: Tensor) => Tensor): Tensor => linear(mul(matmul(input, wave(inputs)), c), wave(out));
    return cast(add(y, sub(through(cos), through(sin))), y.dtype);
  },
};
