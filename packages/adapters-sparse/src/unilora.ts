import {
  type AdapterMethod,
  CapabilityError,
  type ConfigClass,
  configClass,
  finite,
  gather,
  mul,
  type Params,
  type Tensor,
} from "@weft/tensor-core";
import { count, fields, fixed, lowRank, normal, rank, rankFrom, seed, trained } from "@weft/tensor-core/methods";
import { SAVED_PLACES } from "./sparse.js";

/** The config of a Uni-LoRA adapter. */
export interface UniLoraConfigFields {
  readonly r: number;
  /** Length of the vector that all layers share. */
  readonly thetaDLength: number;
  readonly initThetaDBound: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const { exclude_modules: _, ...FIELDS } = fields("unilora", ["dropout", "fan_in_fan_out", "bias", "init_weights"], {
  r: rank(4),
  theta_d_length: count(256),
  proj_seed: seed(42),
  init_theta_d_bound: finite(0.02),
  // Without the places in the file, they are those of NumPy's generator, dealt out in the order of the model's modules.
  save_indices: SAVED_PLACES,
});

export const UniLoraConfig: ConfigClass<UniLoraConfigFields> = configClass("UNILORA", FIELDS);

/** θ at the places of a factor, each entry by its scale. */
const factor = (params: Params, name: string): Tensor => mul(gather(params.theta!, params[`indices_${name}`]!), params[`scales_${name}`]!);

/**
 * Uni-LoRA (Li et al. 2025): ΔW = B·A, whose entries are all taken out of one vector θ [d] that is shared by all layers: A = θ[i_A]·s_A [r, in],
 * B = θ[i_B]·s_B [out, r], with fixed places (i32) and scales 1/√(number of entries that have that place). Linear and Conv1D
 * (fan_in_fan_out). Files without places (`save_indices` off) are refused, and new adapters: their places depend on all modules and their order.
 * @see peft `tuners/unilora/layer.py`, `model.py`
 */
export const UNILORA: AdapterMethod<UniLoraConfigFields> = lowRank({
  name: "UNILORA",
  prefix: "unilora_",
  fields: FIELDS,
  configFromShapes: rankFrom("indices_A"),
  parameters: ({ r }, size) => ({
    indices_A: fixed([r, size.in]),
    indices_B: fixed([size.out, r]),
    scales_A: fixed([r, size.in]),
    scales_B: fixed([size.out, r]),
  }),
  names: ["indices_A", "indices_B", "scales_A", "scales_B"],
  shared: {
    parameters: ({ thetaDLength, initThetaDBound: bound, initWeights }) => ({
      theta: trained([thetaDLength], initWeights ? { kind: "uniform", bound } : normal()),
    }),
    keys: { theta: ["unilora_theta_d"] },
  },
  init() {
    throw new CapabilityError(
      "UNILORA: the places of a new adapter are dealt out over all modules of the model in one draw of NumPy's generator",
      {
        hint: "create the adapter with PEFT and save_indices=True; it can then be loaded, trained and saved here",
      },
    );
  },
  factors: (params) => [factor(params, "A"), factor(params, "B")],
});
