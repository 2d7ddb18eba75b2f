import { type Field, type FieldTable, oneOf, readFields, stringList } from "../adapter/config.js";
import { ConfigError } from "../errors.js";
import type { PromptMethod } from "./prompt-method.js";

/** What the config of every prompt method has, completed from the model. */
export interface PromptConfigFields {
  readonly numVirtualTokens: number;
  /** Width of a virtual token; of one layer's keys (all heads) for prefix methods. */
  readonly tokenDim: number;
  /** 2 for encoder-decoder models. */
  readonly numTransformerSubmodules: 1 | 2;
  /** Prefix methods split `tokenDim` into these: the key-value heads where queries are grouped. */
  readonly numAttentionHeads: number | null;
  readonly numLayers: number | null;
  readonly modulesToSave: readonly string[] | null;
}

/** Sizes of a model that fill in what a config leaves open. */
export interface PromptModel {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** `heads` if not given. */
  readonly keyValueHeads?: number;
  /** `hiddenSize / heads` if not given. */
  readonly headDim?: number;
}

/** Larger sizes come from a damaged or hostile file: real ones stay a hundred times below. */
export const MAX_SIZE: number = 2 ** 24;

/** A size that PEFT takes from the model where it is null. */
export const size = (fallback: number | null = null): Field => ({
  fallback,
  check: (v) => v === null || (Number.isInteger(v) && (v as number) >= 1 && (v as number) <= MAX_SIZE),
  expected: `an integer from 1 to ${MAX_SIZE}`,
});

/** A text or null. */
export const text = (): Field => ({ fallback: null, check: (v) => v === null || typeof v === "string", expected: "a string" });

/** Fields that all prompt methods share. @see peft `config.py` PromptLearningConfig */
export const PROMPT_FIELDS: FieldTable = {
  num_virtual_tokens: size(),
  token_dim: size(),
  num_transformer_submodules: oneOf<number | null>(null, [null, 1, 2]),
  num_attention_heads: size(),
  num_layers: size(),
  modules_to_save: stringList(),
};

/**
 * A method's config from PEFT's fields (snake_case or camelCase) and the model that it is for, by PEFT's rules: what is null comes from the
 * model; prefix methods count key-value heads; an encoder is as wide as a token unless said otherwise.
 * @param model may be left out where the config has all sizes, as a saved one does
 * @throws ConfigError naming the field
 * @see peft `utils/other.py` _prepare_prompt_learning_config
 */
export function promptConfig<C extends PromptConfigFields>(
  method: PromptMethod<C>,
  values: { readonly [field: string]: unknown },
  model?: PromptModel,
): C {
  const read = readFields(method.fields, values);
  const given = { ...read, ...method.resolve?.({ ...read, taskType: values["taskType"] ?? values["task_type"] ?? null }) };
  const known = given as { -readonly [K in keyof PromptConfigFields]: PromptConfigFields[K] | null } & {
    encoderHiddenSize?: number | null;
  };
  const heads = known.numAttentionHeads ?? model?.heads ?? null;
  let tokenDim = known.tokenDim ?? model?.hiddenSize ?? null;
  let numAttentionHeads = heads;
  const grouped = method.kind === "keyValues" ? model?.keyValueHeads : undefined;
  if (grouped !== undefined) {
    tokenDim = grouped * (model!.headDim ?? tokenDim! / heads!);
    numAttentionHeads = grouped;
  }
  const seq2seq = (values["taskType"] ?? values["task_type"]) === "SEQ_2_SEQ_LM";
  const config = {
    ...given,
    tokenDim,
    numAttentionHeads,
    numLayers: known.numLayers ?? model?.layers ?? null,
    numTransformerSubmodules: known.numTransformerSubmodules ?? (seq2seq ? 2 : 1),
    ...("encoderHiddenSize" in given && { encoderHiddenSize: known.encoderHiddenSize ?? tokenDim }),
  } as C;
  const needed = ["numVirtualTokens", "tokenDim", ...(method.kind === "keyValues" ? ["numLayers", "numAttentionHeads"] : [])];
  const absent = needed.find((name) => config[name as keyof C] === null);
  if (absent) {
    const field = absent.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
    throw new ConfigError(`${method.name}: ${field} is missing`, {
      kind: "config-schema",
      hint:
        absent === "numVirtualTokens" ? "say how many virtual tokens the prompt has" : "give it in the config, or give the model's sizes",
    });
  }
  const [field, own, theirs] =
    method.kind === "embeddings" ? ["token_dim", config.tokenDim, model?.hiddenSize] : ["num_layers", config.numLayers, model?.layers];
  if (model && own !== theirs)
    throw new ConfigError(`${method.name}: ${field} is ${own}, the model's is ${theirs}`, {
      kind: "config-mismatch",
      hint: "was the prompt made for another model?",
    });
  if (method.kind === "keyValues" && config.tokenDim % config.numAttentionHeads! !== 0)
    throw new ConfigError(`${method.name}: token_dim ${config.tokenDim} does not split into ${config.numAttentionHeads} heads`, {
      kind: "config-schema",
    });
  return config;
}
