import {
  type AdapterContext,
  type AdapterMethod,
  add,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  dropout,
  featuresOf,
  type FieldTable,
  float,
  forwardBase,
  integer,
  type LayerSpec,
  linear,
  matmul,
  MAX_RANK,
  mul,
  oneOf,
  type Params,
  reshape,
  slice,
  swapLast,
  TARGETING,
  type Tensor,
  torchGenerator,
  torchKaimingUniform,
} from "@weft/tensor-core";

const { exclude_modules: _, ...targeting } = TARGETING;

/** PEFT 0.21.2's `VeraConfig` fields and defaults. @see peft `tuners/vera/config.py` */
const FIELDS: FieldTable = {
  ...targeting,
  r: integer(256, 1, MAX_RANK),
  projection_prng_key: integer(0, 0, Number.MAX_SAFE_INTEGER),
  save_projection: boolean(true),
  vera_dropout: dropout(),
  d_initial: float(0.1),
  fan_in_fan_out: boolean(false),
  bias: oneOf("none", ["none", "all", "vera_only"]),
  init_weights: boolean(true),
};

/** The config of a VeRA adapter. */
export interface VeraConfigFields {
  readonly r: number;
  /** Seed of the projections A and B that all layers share. */
  readonly projectionPrngKey: number;
  /** A and B are saved with the adapter; otherwise they are rebuilt from the seed, bit for bit as torch draws them. */
  readonly saveProjection: boolean;
  readonly dInitial: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

/** PEFT's `VeraConfig` (`peft_type` VERA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const VeraConfig: ConfigClass<VeraConfigFields> = configClass("VERA", FIELDS);

/** A[:, :in] and B[:out] in f32, of this layer. */
function projections({ sharedA, sharedB }: Params, layer: LayerSpec): { A: Tensor; B: Tensor } {
  const { in: inputs, out } = featuresOf(layer);
  return { A: cast(slice(sharedA!, [undefined, [0, inputs]]), "f32"), B: cast(slice(sharedB!, [[0, out]]), "f32") };
}

function delta(params: Params, { layer, scale }: AdapterContext<VeraConfigFields>): Tensor {
  const { A, B } = projections(params, layer);
  const [b, d] = [cast(params.lambdaB!, "f32"), cast(params.lambdaD!, "f32")];
  const product = matmul(mul(reshape(b, [-1, 1]), B), mul(reshape(d, [-1, 1]), A));
  const scaled = scale === 1 ? product : mul(product, scale);
  return cast(layer.transposed ? swapLast(scaled) : scaled, params.sharedB!.dtype);
}

/**
 * VeRA (Kopiczko et al. 2024): ΔW = diag(λ_b)·B·diag(λ_d)·A, with random A [r, in] and B [out, r] that all layers share (cut to each layer's
 * size) and learned vectors λ_b [out], λ_d [r]. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/vera/layer.py`, `model.py`
 */
export const VERA: AdapterMethod<VeraConfigFields> = {
  name: "VERA",
  defaultTargets: { models: { phi: ["q_proj", "v_proj"] } },
  prefix: "vera_lambda_",
  fields: FIELDS,
  parameters({ r, dInitial, initWeights }, layer) {
    if (layer.kind !== "linear") throw new ConfigError(`VERA is for linear layers, got ${layer.kind}`);
    return {
      lambdaB: { shape: [featuresOf(layer).out], init: initWeights ? { kind: "zeros" } : { kind: "ones" }, trainable: true },
      lambdaD: { shape: [r], init: initWeights ? { kind: "constant", value: dInitial } : { kind: "normal", std: 1 }, trainable: true },
    };
  },
  keys: () => ({ lambdaB: ["vera_lambda_b"], lambdaD: ["vera_lambda_d"] }),
  shared: {
    parameters({ r }, modules) {
      const sizes = modules.map(({ layer }) => featuresOf(layer));
      const spec = (shape: number[]) => ({ shape, init: { kind: "kaimingUniform" }, trainable: false }) as const;
      return { sharedA: spec([r, Math.max(...sizes.map((s) => s.in))]), sharedB: spec([Math.max(...sizes.map((s) => s.out)), r]) };
    },
    keys: { sharedA: ["vera_A"], sharedB: ["vera_B"] },
    rebuild({ projectionPrngKey }, { sharedA, sharedB }) {
      const generator = torchGenerator(projectionPrngKey);
      // PEFT's `_kaiming_init` has torch's default slope of 0: bound √6/√fan_in.
      return { sharedA: torchKaimingUniform(generator, sharedA!.shape, 0), sharedB: torchKaimingUniform(generator, sharedB!.shape, 0) };
    },
  },
  delta,
  forward(x, base, params, context, dropped) {
    const { layer, scale } = context;
    const { A, B } = projections(params, layer);
    const y = forwardBase(layer, base, x);
    const input = cast(dropped ? dropped(x) : x, params.lambdaD!.dtype);
    const low = mul(params.lambdaB!, linear(mul(params.lambdaD!, linear(input, A)), B));
    return cast(add(y, scale === 1 ? low : mul(low, scale)), y.dtype);
  },
};
