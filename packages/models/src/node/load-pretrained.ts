import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { WeightSource } from "@weft/io-safetensors";
import { ioError, openWeights } from "@weft/io-safetensors/node";
import type { LongCallOptions } from "@weft/tensor-core";
import type { Architecture } from "../architecture.js";
import type { BertModel } from "../bert.js";
import type { CausalLM } from "../causal/causal-lm.js";
import { type ConfigJson, parseConfig } from "../config-fields.js";
import { loadCausalLM, loadEncoder } from "../load.js";
import type { ModelOptions } from "../model.js";
import type { ParameterSource } from "../sources/parameter-source.js";

type Options = ModelOptions & LongCallOptions;

/**
 * Loads the causal language model of a folder (`config.json` beside safetensors files) or of a GGUF file. Quantised weights stay packed.
 * With `architecture` (`LLAMA`, `MAMBA` …) it must be that one, and the result has its type.
 * @param path of a folder, or of a file that ends in `.gguf` (of a model that is split, any of its files)
 * @throws IoError; FormatError; ConfigError kind `unsupported-model` for an architecture that is not here
 */
export function loadPretrained(path: string, options?: Options): Promise<CausalLM>;
export function loadPretrained<M>(path: string, options: Options & { readonly architecture: Architecture<M> }): Promise<M>;
export function loadPretrained<M>(
  path: string,
  { architecture, ...options }: Options & { readonly architecture?: Architecture<M> } = {},
): Promise<M | CausalLM> {
  return opened<M | CausalLM>(path, (config, source) =>
    architecture ? architecture.load(config, source, options) : loadCausalLM(config, source, options),
  );
}

/** Loads the encoder of a folder, as {@link loadPretrained} does a causal language model. */
export function loadPretrainedEncoder(folder: string, options: Options = {}): Promise<BertModel> {
  return opened(folder, (config, source) => loadEncoder(config, source, options));
}

type Load<M> = (config: ConfigJson, source: WeightSource | ParameterSource) => Promise<M>;

async function opened<M>(path: string, load: Load<M>): Promise<M> {
  if (path.endsWith(".gguf")) return ofGguf(path, load);
  const config = readConfig(join(path, "config.json"));
  const source = await openWeights(path);
  try {
    return await load(config, source);
  } finally {
    await source.close();
  }
}

async function ofGguf<M>(path: string, load: Load<M>): Promise<M> {
  const [{ openGgufPath }, { ggufModel }] = await Promise.all([import("@weft/io-gguf/node"), import("../sources/gguf-model.js")]);
  const file = await openGgufPath(path);
  try {
    const { config, source } = await ggufModel(file);
    return await load(config, source);
  } finally {
    await file.close();
  }
}

function readConfig(file: string): ConfigJson {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw ioError(error, file, "read");
  }
  return parseConfig(bytes, file);
}
