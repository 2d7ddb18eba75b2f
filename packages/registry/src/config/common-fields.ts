import { boolean, type Field, type FieldTable, oneOf, opaque, stringList, stringOrList } from "@weft/tensor-core";

const text = (): Field => ({ fallback: null, check: (value) => value === null || typeof value === "string", expected: "a string" });

/** Fields of every config. `auto_mapping` names Python classes to import: kept for a round trip, never used. @see peft `config.py` */
export const COMMON_FIELDS: FieldTable = {
  auto_mapping: opaque(),
  base_model_name_or_path: text(),
  inference_mode: boolean(false),
  peft_version: text(),
  revision: text(),
  task_type: oneOf<string | null>(null, [null, "SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"]),
};

/** What is checked in the config of a method that the registry has no field table for, where present. */
export const TARGET_FIELDS: FieldTable = {
  bias: { ...text(), fallback: "none" },
  exclude_modules: stringOrList(),
  layers_pattern: stringOrList(),
  layers_to_transform: opaque(),
  modules_to_save: stringList(),
  target_modules: stringOrList(),
};

/** Fields that PEFT declares as float and Python therefore writes with a decimal point (`0.0`). */
export const FLOAT_FIELDS: ReadonlySet<string> = new Set([
  "asa_importance_beta",
  "asa_schedule_exponent",
  "asa_uncertainty_beta",
  "auxiliary_loss_weight",
  "beta1",
  "beta2",
  "boft_dropout",
  "cayley_neumann_eps",
  "d_initial",
  "deft_dropout",
  "encoder_dropout",
  "eps",
  "frod_dropout",
  "global_scaling_weight",
  "gralora_dropout",
  "hira_dropout",
  "init_logits_std",
  "init_scale",
  "init_theta_d_bound",
  "init_v_bound",
  "init_vector_bank_bound",
  "lora_dropout",
  "miss_dropout",
  "module_dropout",
  "opt_loss_decay_factor",
  "opt_projection_epsilon",
  "opt_projection_format_epsilon",
  "orth_reg_weight",
  "psoft_dropout",
  "pvera_dropout",
  "randlora_dropout",
  "rank_dropout",
  "regularization_alpha",
  "scaling",
  "scaling_pass_value",
  "shadow_alpha",
  "shadow_dropout",
  "softmax_temperature",
  "sparse_rate",
  "sparsity",
  "svd_threshold",
  "tinylora_dropout",
  "unilora_dropout",
  "vblora_dropout",
  "vera_dropout",
  "weight_tying",
  "xlora_dropout_p",
]);
