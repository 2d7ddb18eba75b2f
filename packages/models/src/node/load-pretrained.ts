import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LongCallOptions } from "@weft/tensor-core";
import { ioError, openWeights } from "@weft/io-safetensors/node";
import { type ConfigJson, parseConfig } from "../config-fields.js";
import { LlamaForCausalLM, type LlamaOptions } from "../llama/llama.js";

/**
 * Loads the model of a folder: `config.json` beside safetensors files.
 * @throws IoError; FormatError; ConfigError kind `unsupported-model` for an architecture that is not here
 */
export async function loadPretrained(folder: string, options: LlamaOptions & LongCallOptions = {}): Promise<LlamaForCausalLM> {
  const config = readConfig(join(folder, "config.json"));
  const source = await openWeights(folder);
  try {
    return await LlamaForCausalLM.load(config, source, options);
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
