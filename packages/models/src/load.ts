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
import type { GgufModelInput } from "./sources/gguf-model.js";
import type { ParameterSource } from "./sources/parameter-source.js";

/** Models that give logits of the next token. */
const CAUSAL_LMS: readonly Architecture<CausalLM>[] = [LLAMA, GPT2, RWKV, MAMBA, MAMBA2];
/** Models that give a state for every token of a text. */
const ENCODERS: readonly Architecture<BertModel>[] = [BERT];

const typesOf = (table: readonly Architecture<unknown>[]): string[] => table.flatMap(({ modelTypes }) => modelTypes);

type Options = ModelOptions & LongCallOptions;
/** `config.json`: its text, its bytes, or parsed. */
type Config = ConfigJson | string | Uint8Array;

/** The model of a config and its parameters, or of a GGUF file, which has both. */
async function load<M>(
  table: readonly Architecture<M>[],
  model: Config | GgufModelInput,
  source: WeightSource | ParameterSource | undefined,
  options: Options,
  elsewhere: { readonly types: readonly string[]; readonly hint: string },
): Promise<M> {
  if (!source) {
    const { ggufModel } = await import("./sources/gguf-model.js");
    const gguf = await ggufModel(model as GgufModelInput);
    return load(table, gguf.config, gguf.source, options, elsewhere);
  }
  const config = parseConfig(model as Config);
  return architectureOf(config, table, elsewhere).load(config, source, options);
}

/** @throws ConfigError kind `unsupported-model` */
function architectureOf<M>(
  config: ConfigJson,
  table: readonly Architecture<M>[],
  elsewhere?: { readonly types: readonly string[]; readonly hint: string },
): Architecture<M> {
  const type = String(config["model_type"] ?? originalModelType(config));
  const architecture = table.find(({ modelTypes }) => modelTypes.includes(type));
  if (architecture) return architecture;
  throw new ConfigError(
    `config.json: model_type is ${JSON.stringify(config["model_type"])}, expected one of ${typesOf(table).join(", ")}`,
    {
      kind: "unsupported-model",
      ...(elsewhere?.types.includes(type) && { hint: elsewhere.hint }),
    },
  );
}

/**
 * Names and shapes of the parameters that the model of a config has, under the names of the Python original; of two that are tied the embedding alone.
 * @param json `config.json`: its text, its bytes, or parsed
 * @throws ConfigError naming the field; kind `unsupported-model` for an architecture that is not here
 */
export function parameterShapes(json: Config): ReadonlyMap<string, readonly number[]> {
  const config = parseConfig(json);
  return architectureOf<unknown>(config, [...CAUSAL_LMS, ...ENCODERS]).parameterShapes(config);
}

const isOptions = (given: WeightSource | ParameterSource | Options | undefined): given is Options | undefined =>
  given === undefined || !("names" in given);

/**
 * The causal language model of a checkpoint, of the architecture that its config names; or of a GGUF file: opened by `openGguf`, a File or Blob, all files of a model that is split.
 * Quantised weights stay packed.
 * @param json `config.json`: its text, its bytes, or parsed
 * @throws ConfigError kind `unsupported-model` for an architecture that is not here; what {@link Architecture.load} throws; FormatError as `openGguf`
 */
export function loadCausalLM(json: Config, source: WeightSource | ParameterSource, options?: Options): Promise<CausalLM>;
export function loadCausalLM(gguf: GgufModelInput, options?: Options): Promise<CausalLM>;
export function loadCausalLM(
  model: Config | GgufModelInput,
  source?: WeightSource | ParameterSource | Options,
  options: Options = {},
): Promise<CausalLM> {
  const elsewhere = { types: typesOf(ENCODERS), hint: "an encoder is loaded by loadEncoder" };
  return isOptions(source)
    ? load(CAUSAL_LMS, model, undefined, source ?? {}, elsewhere)
    : load(CAUSAL_LMS, model, source, options, elsewhere);
}

/** The encoder of a checkpoint, or of a GGUF file. @see loadCausalLM */
export function loadEncoder(json: Config, source: WeightSource | ParameterSource, options?: Options): Promise<BertModel>;
export function loadEncoder(gguf: GgufModelInput, options?: Options): Promise<BertModel>;
export function loadEncoder(
  model: Config | GgufModelInput,
  source?: WeightSource | ParameterSource | Options,
  options: Options = {},
): Promise<BertModel> {
  const elsewhere = { types: typesOf(CAUSAL_LMS), hint: "a causal language model is loaded by loadCausalLM" };
  return isOptions(source) ? load(ENCODERS, model, undefined, source ?? {}, elsewhere) : load(ENCODERS, model, source, options, elsewhere);
}
