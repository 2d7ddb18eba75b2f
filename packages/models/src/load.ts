import type { WeightSource } from "@weft/io-safetensors";
import { ConfigError, type LongCallOptions } from "@weft/tensor-core";
import type { Architecture } from "./architecture.js";
import { BERT, type BertModel } from "./bert.js";
import type { CausalLM } from "./causal/causal-lm.js";
import { type ConfigJson, parseConfig } from "./config-fields.js";
import { GPT2 } from "./gpt2.js";
import { LLAMA } from "./llama/llama.js";
import { originalModelType } from "./mamba/config.js";
import { MAMBA } from "./mamba/mamba.js";
import { MAMBA2 } from "./mamba/mamba2.js";
import type { ModelOptions } from "./model.js";
import { RWKV } from "./rwkv.js";

/** Models that give logits of the next token. */
const CAUSAL_LMS: readonly Architecture<CausalLM>[] = [LLAMA, GPT2, RWKV, MAMBA, MAMBA2];
/** Models that give a state for every token of a text. */
const ENCODERS: readonly Architecture<BertModel>[] = [BERT];

const typesOf = (table: readonly Architecture<unknown>[]): string[] => table.flatMap(({ modelTypes }) => modelTypes);

async function load<M>(
  table: readonly Architecture<M>[],
  json: ConfigJson | string | Uint8Array,
  source: WeightSource,
  options: ModelOptions & LongCallOptions,
  elsewhere: { readonly types: readonly string[]; readonly hint: string },
): Promise<M> {
  const config = parseConfig(json);
  const type = String(config["model_type"] ?? originalModelType(config));
  const architecture = table.find(({ modelTypes }) => modelTypes.includes(type));
  if (!architecture)
    throw new ConfigError(
      `config.json: model_type is ${JSON.stringify(config["model_type"])}, expected one of ${typesOf(table).join(", ")}`,
      {
        kind: "unsupported-model",
        ...(elsewhere.types.includes(type) && { hint: elsewhere.hint }),
      },
    );
  return architecture.load(config, source, options);
}

/**
 * The causal language model of a checkpoint, of the architecture that its config names.
 * @param json `config.json`: its text, its bytes, or parsed
 * @throws ConfigError kind `unsupported-model` for an architecture that is not here; what {@link Architecture.load} throws
 */
export function loadCausalLM(
  json: ConfigJson | string | Uint8Array,
  source: WeightSource,
  options: ModelOptions & LongCallOptions = {},
): Promise<CausalLM> {
  return load(CAUSAL_LMS, json, source, options, { types: typesOf(ENCODERS), hint: "an encoder is loaded by loadEncoder" });
}

/** The encoder of a checkpoint. @see loadCausalLM */
export function loadEncoder(
  json: ConfigJson | string | Uint8Array,
  source: WeightSource,
  options: ModelOptions & LongCallOptions = {},
): Promise<BertModel> {
  return load(ENCODERS, json, source, options, {
    types: typesOf(CAUSAL_LMS),
    hint: "a causal language model is loaded by loadCausalLM",
  });
}
