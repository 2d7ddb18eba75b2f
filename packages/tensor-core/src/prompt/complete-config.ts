import { readFields } from "../adapter/config.js";
import { ConfigError } from "../errors.js";
import type { PromptConfigFields, PromptModel } from "./prompt-config.js";
import type { PromptMethod } from "./prompt-method.js";

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
