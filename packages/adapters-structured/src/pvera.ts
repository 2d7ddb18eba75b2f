import {
  type AdapterMethod,
  add,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  exp,
  featuresOf,
  float,
  forwardBase,
  linear,
  mul,
  opaque,
  reshape,
  slice,
  type Tensor,
  torchGenerator,
  torchKaimingUniform,
} from "@weft/tensor-core";
import { BY_LAYER, fields, fixed, lowRank, normal, rank, seed, trained, wide } from "@weft/tensor-core/methods";

/** The config of a PVeRA adapter. */
export interface PveraConfigFields {
  readonly r: number;
  /** Seed of the projections A and B that all layers share. */
  readonly projectionPrngKey: number;
  readonly dInitial: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
  /** Draws outside of training, too. */
  readonly sampleAtInference: boolean;
  readonly pveraDropout: number;
}

const FIELDS = fields(
  "pvera",
  ["dropout", "fan_in_fan_out", "bias", "init_weights"],
  {
    r: rank(256),
    projection_prng_key: seed(0),
    save_projection: boolean(true),
    d_initial: float(0.1),
    sample_at_inference: boolean(false),
    generator_seed: opaque(),
  },
  BY_LAYER,
);

/** PEFT's `PveraConfig` (`peft_type` PVERA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const PveraConfig: ConfigClass<PveraConfigFields> = configClass("PVERA", FIELDS);

/** diag(λ_d)·A of some rows: those of the means, or of the logarithms of the variances. */
const half = (d: Tensor, A: Tensor, rows: readonly [number, number], inputs: number): Tensor =>
  mul(reshape(slice(d, [rows]), [-1, 1]), slice(A, [rows, [0, inputs]]));

const MEAN = lowRank<PveraConfigFields>({
  name: "PVERA",
  defaultTargets: { models: { phi: ["q_proj", "v_proj"], dinov2: ["query", "value"] } },
  prefix: "pvera_lambda_",
  fields: FIELDS,
  parameters: ({ r, dInitial, initWeights }, size) => ({
    b: trained([size.out], initWeights ? "zeros" : "ones"),
    d: trained([2 * r], initWeights ? { kind: "constant", value: dInitial } : normal()),
  }),
  names: ["b", "d"],
  shared: {
    parameters({ r }, modules) {
      const sizes = modules.map(({ layer }) => featuresOf(layer));
      return { sharedA: fixed([2 * r, Math.max(...sizes.map((s) => s.in))]), sharedB: fixed([Math.max(...sizes.map((s) => s.out)), r]) };
    },
    keys: { sharedA: ["pvera_A"], sharedB: ["pvera_B"] },
    rebuild({ projectionPrngKey }, { sharedA, sharedB }) {
      const generator = torchGenerator(projectionPrngKey);
      return { sharedA: torchKaimingUniform(generator, sharedA!.shape, 0), sharedB: torchKaimingUniform(generator, sharedB!.shape, 0) };
    },
  },
  factors: ({ b, d, sharedA, sharedB }, { r }, size) => [
    half(d!, sharedA!, [0, r], size.in),
    mul(reshape(b!, [-1, 1]), slice(sharedB!, [[0, size.out]])),
  ],
});

/**
 * PVeRA: VeRA with a mean and a variance of the low-rank activations, of which the mean acts: ΔW = diag(λ_b)·B·diag(λ_d)·A with the first
 * halves of λ_d [2r] and of A [2r, in]. In training, and with `sample_at_inference`, activations are drawn around it: μ + ε·exp(½·log σ²), where the
 * context has `noise`. Linear and Conv1D.
 * @see peft `tuners/pvera/layer.py`, `model.py`
 */
export const PVERA: AdapterMethod<PveraConfigFields> = {
  ...MEAN,
  forward(x, base, params, context, drop) {
    const { layer, config, noise, scale } = context;
    if (!noise && config.sampleAtInference)
      throw new ConfigError("PVERA: sample_at_inference draws in every pass, which needs a key to draw from", {
        hint: "give forward a `dropoutKey`, or set sample_at_inference to false",
      });
    if (!noise) return MEAN.forward(x, base, params, context, drop);
    const { r } = config;
    const [d, A] = [wide(params.d!), wide(params.sharedA!)];
    const size = featuresOf(layer);
    const input = wide(drop ? drop(x) : x);
    const [mean, variance] = [[0, r] as const, [r, 2 * r] as const].map((rows) => linear(input, half(d, A, rows, size.in))) as [
      Tensor,
      Tensor,
    ];
    const drawn = add(mean, mul(noise(mean.shape), exp(mul(variance, 0.5))));
    const change = mul(linear(drawn, wide(slice(params.sharedB!, [[0, size.out]]))), wide(params.b!));
    const y = forwardBase(layer, base, x);
    return cast(add(y, mul(change, scale)), y.dtype);
  },
};
