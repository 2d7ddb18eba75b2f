import {
  type AdapterMethod,
  boolean,
  type ConfigClass,
  configClass,
  featuresOf,
  float,
  gather,
  mul,
  type Params,
  type Tensor,
} from "@weft/tensor-core";
import { count, fields, fixed, lowRank, normal, rank, rankFrom, seed, trained, checkRank } from "@weft/tensor-core/methods";
import { uniLoraPlaces } from "./unilora-places.js";

/** The config of a Uni-LoRA adapter. */
export interface UniLoraConfigFields {
  readonly r: number;
  /** Length of the vector that all layers share. */
  readonly thetaDLength: number;
  readonly initThetaDBound: number;
  /** Seed of the places. */
  readonly projSeed: number;
  /** The file holds the places and scales; else they follow from the seed and the model's layers in their order. */
  readonly saveIndices: boolean;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const { exclude_modules: _, ...FIELDS } = fields("unilora", ["dropout", "fan_in_fan_out", "bias", "init_weights"], {
  r: rank(4),
  theta_d_length: count(256),
  proj_seed: seed(42),
  init_theta_d_bound: float(0.02),
  save_indices: boolean(false),
});

/** PEFT's `UniLoraConfig` (`peft_type` UNILORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const UniLoraConfig: ConfigClass<UniLoraConfigFields> = configClass("UNILORA", FIELDS);

/** θ at the places of a factor, each entry by its scale. */
const factor = (params: Params, name: string): Tensor => mul(gather(params.theta!, params[`indices_${name}`]!), params[`scales_${name}`]!);

/**
 * Uni-LoRA (Li et al. 2025): ΔW = B·A, whose entries are all taken out of one vector θ [d] that is shared by all layers: A = θ[i_A]·s_A [r, in],
 * B = θ[i_B]·s_B [out, r], with fixed places (i32) and scales 1/√(number of entries that have that place). Linear and Conv1D
 * (fan_in_fan_out).
 * @see peft `tuners/unilora/layer.py`, `model.py`
 */
export const UNILORA: AdapterMethod<UniLoraConfigFields> = {
  ...lowRank<UniLoraConfigFields>({
    name: "UNILORA",
    prefix: "unilora_",
    fields: FIELDS,
    checkNew: checkRank,
    configFromShapes: rankFrom("indices_A"),
    parameters: ({ r, saveIndices }, size) =>
      saveIndices
        ? { indices_A: fixed([r, size.in]), indices_B: fixed([size.out, r]), scales_A: fixed([r, size.in]), scales_B: fixed([size.out, r]) }
        : {},
    names: ["indices_A", "indices_B", "scales_A", "scales_B"],
    shared: {
      parameters: ({ thetaDLength, initThetaDBound: bound, initWeights }) => ({
        theta: trained([thetaDLength], initWeights ? { kind: "uniform", bound } : normal()),
      }),
      keys: { theta: ["unilora_theta_d"] },
    },
    factors: (params) => [factor(params, "A"), factor(params, "B")],
  }),
  allot({ r, thetaDLength, projSeed }, layers) {
    return uniLoraPlaces(r, layers.map(featuresOf), thetaDLength, projSeed).map((params) => ({ params }));
  },
};
