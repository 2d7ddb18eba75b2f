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

type Options = ModelOptions & LongCallOptions;

/**
 * Loads the causal language model of a folder: `config.json` beside safetensors files.
 * With `architecture` (`LLAMA`, `MAMBA` …) it must be that one, and the result has its type.
 * @throws IoError; FormatError; ConfigError kind `unsupported-model` for an architecture that is not here
 */
export function loadPretrained(folder: string, options?: Options): Promise<CausalLM>;
export function loadPretrained<M>(folder: string, options: Options & { readonly architecture: Architecture<M> }): Promise<M>;
export function loadPretrained<M>(
  folder: string,
  { architecture, ...options }: Options & { readonly architecture?: Architecture<M> } = {},
): Promise<M | CausalLM> {
  return inFolder<M | CausalLM>(folder, (config, source) =>
    architecture ? architecture.load(config, source, options) : loadCausalLM(config, source, options),
  );
}

/** Loads the encoder of a folder, as {@link loadPretrained} does a causal language model. */
export function loadPretrainedEncoder(folder: string, options: Options = {}): Promise<BertModel> {
  return inFolder(folder, (config, source) => loadEncoder(config, source, options));
}

async function inFolder<M>(folder: string, load: (config: ConfigJson, source: WeightSource) => Promise<M>): Promise<M> {
  const config = readConfig(join(folder, "config.json"));
  const source = await openWeights(folder);
  try {
    return await load(config, source);
  } finally {
    await source.close();
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
