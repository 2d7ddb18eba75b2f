import { boolean, type Field, type FieldTable, finite, integer, oneOf, opaque, stringList } from "@weft/tensor-core";

/** Configs inside a LoRA config, under PEFT's names and with its defaults. @see peft `tuners/lora/config.py` */

const positive = (fallback: number): Field => ({
  ...finite(fallback),
  check: (v: unknown) => Number.isFinite(v) && (v as number) > 0,
  expected: "a number above 0",
});
const atLeast = (fallback: number, low: number): Field => ({
  ...finite(fallback),
  check: (v: unknown) => Number.isFinite(v) && (v as number) >= low,
  expected: `a number of at least ${low}`,
});
const count = (fallback: number): Field => integer(fallback, 1, 2 ** 31 - 1);

/** Weights of KaSA's regularisers, which `kasaLoss` takes. */
export const KASA_FIELDS: FieldTable = { beta: atLeast(1e-4, 0), gamma: atLeast(1e-3, 0) };

export interface KasaFields {
  readonly beta: number;
  readonly gamma: number;
}

/** Noise is drawn as it is needed, so that `buffer_size` only comes back in the file; weights of losses are for the training loop. */
export const MONTECLORA_FIELDS: FieldTable = {
  num_samples: count(8),
  use_entropy: boolean(false),
  dirichlet_prior: positive(0.1),
  sample_scaler: finite(1e-4),
  kl_loss_weight: finite(1e-5),
  buffer_size: count(150),
};

export interface MontecloraFields {
  readonly numSamples: number;
  readonly useEntropy: boolean;
  readonly dirichletPrior: number;
  readonly sampleScaler: number;
  readonly klLossWeight: number;
}

export const VELORA_FIELDS: FieldTable = {
  num_groups: count(64),
  scale: positive(1),
  init_type: oneOf("batch_average", ["batch_average", "batch_average_once", "random"]),
};

export interface VeloraFields {
  readonly numGroups: number;
  readonly scale: number;
  readonly initType: "batch_average" | "batch_average_once" | "random";
}

export const BDLORA_FIELDS: FieldTable = {
  target_modules_bd_a: stringList(),
  target_modules_bd_b: stringList(),
  nblocks: count(1),
  match_strict: boolean(true),
};

export interface BdLoraFields {
  readonly targetModulesBdA: readonly string[] | null;
  readonly targetModulesBdB: readonly string[] | null;
  readonly nblocks: number;
  readonly matchStrict: boolean;
}

/** `rng_seed` chooses where the power iteration for the prototypes begins, and names are those of the adapters that are routed to. */
export const ARROW_FIELDS: FieldTable = {
  top_k: count(3),
  router_temperature: positive(1),
  use_gks: boolean(false),
  task_adapter_names: stringList(),
  gks_adapter_names: stringList(),
  rng_seed: opaque(),
};

export interface ArrowFields {
  readonly topK: number;
  readonly routerTemperature: number;
  readonly useGks: boolean;
  readonly taskAdapterNames: readonly string[] | null;
  readonly gksAdapterNames: readonly string[] | null;
}

export const EVA_FIELDS: FieldTable = {
  rho: atLeast(2, 1),
  tau: { ...finite(0.99), check: (v) => typeof v === "number" && v >= 0 && v <= 1, expected: "a number from 0 to 1" },
  use_label_mask: boolean(true),
  label_mask_value: integer(-100, -(2 ** 31), 2 ** 31 - 1),
  whiten: boolean(false),
  adjust_scaling_factors: boolean(true),
};

export interface EvaFields {
  readonly rho: number;
  readonly tau: number;
  readonly useLabelMask: boolean;
  readonly labelMaskValue: number;
  readonly whiten: boolean;
  readonly adjustScalingFactors: boolean;
}

/** Files of caches, and what is printed, are PEFT's own business; they come back in the file. */
export const CORDA_FIELDS: FieldTable = {
  cache_file: opaque(),
  covariance_file: opaque(),
  corda_method: oneOf("ipm", ["ipm", "kpm"]),
  verbose: boolean(false),
  use_float16_for_covariance: boolean(false),
  prune_temporary_fields: boolean(true),
};

export interface CordaFields {
  readonly cordaMethod: "ipm" | "kpm";
  readonly useFloat16ForCovariance: boolean;
}

export const LORA_GA_FIELDS: FieldTable = {
  direction: oneOf("ArB2r", ["ArBr", "A2rBr", "ArB2r", "random"]),
  scale: oneOf("stable", ["stable", "weight_svd", "gd_scale", "unit"]),
  stable_gamma: atLeast(16, Number.MIN_VALUE),
};

export interface LoraGaFields {
  readonly direction: "ArBr" | "A2rBr" | "ArB2r" | "random";
  readonly scale: "stable" | "weight_svd" | "gd_scale" | "unit";
  readonly stableGamma: number;
}

export const LOFTQ_FIELDS: FieldTable = { loftq_bits: oneOf(4, [4, 8]), loftq_iter: count(1) };

export interface LoftQFields {
  readonly loftqBits: 4 | 8;
  readonly loftqIter: number;
}
