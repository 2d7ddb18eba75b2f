import { boolean, type Field, type FieldTable, oneOf, opaque } from "@weft/tensor-core";

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
