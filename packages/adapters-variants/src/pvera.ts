import {
  type AdapterMethod,
  boolean,
  configClass,
  type ConfigClass,
  featuresOf,
  finite,
  mul,
  opaque,
  reshape,
  slice,
  torchGenerator,
  torchKaimingUniform,
} from "@weft/tensor-core";
import { BY_LAYER, fields, fixed, lowRank, normal, rank, seed, trained } from "@weft/tensor-core/methods";

/** The config of a PVeRA adapter. */
export interface PveraConfigFields {
  readonly r: number;
  /** Seed of the projections A and B that all layers share. */
  readonly projectionPrngKey: number;
  readonly dInitial: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields(
  "pvera",
  ["dropout", "fan_in_fan_out", "bias", "init_weights"],
  {
    r: rank(256),
    projection_prng_key: seed(0),
    save_projection: boolean(true),
    d_initial: finite(0.1),
    sample_at_inference: boolean(false),
    generator_seed: opaque(),
  },
  BY_LAYER,
);

export const PveraConfig: ConfigClass<PveraConfigFields> = configClass("PVERA", FIELDS);

/**
 * PVeRA: VeRA with a mean and a variance of the low-rank activations, of which the mean acts: ΔW = diag(λ_b)·B·diag(λ_d)·A with the first
 * halves of λ_d [2r] and of A [2r, in]. Sampling around it (in training, or with `sample_at_inference`) is not done. Linear and Conv1D.
 * @see peft `tuners/pvera/layer.py`, `model.py`
 */
export const PVERA: AdapterMethod<PveraConfigFields> = lowRank({
  name: "PVERA",
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
    mul(
      reshape(slice(d!, [[0, r]]), [r, 1]),
      slice(sharedA!, [
        [0, r],
        [0, size.in],
      ]),
    ),
    mul(reshape(b!, [-1, 1]), slice(sharedB!, [[0, size.out]])),
  ],
});
