import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Pooling } from "@weft/models";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { ConfigError, type Device, type LongCallOptions, WeftError } from "@weft/tensor-core";
import { Embedder, type EmbedderOptions } from "../embedder.js";
import { localModel } from "./local-model.js";
import { openGenerationFiles } from "./open-generation-files.js";
import { readJsonObject } from "./read-json.js";

/** What is loaded, and how it embeds; what is not given is as the files of sentence-transformers, or the GGUF file, say. */
export interface LoadEmbedderOptions extends Partial<EmbedderOptions>, LongCallOptions {
  readonly device: Device;
}

/** Fields of sentence-transformers' pooling config, true for what is meant. */
const POOLINGS: { readonly [field: string]: Pooling } = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_max_tokens: "max",
  pooling_mode_lasttoken: "last",
};

/**
 * An embedder of the encoder, or causal language model, of a folder, a GGUF file or a repository of the hub (`hf:user/repo`).
 * @throws ConfigError for a pooling that is not here; what `loadPretrained` throws
 */
export async function loadEmbedder(path: string, options: LoadEmbedderOptions): Promise<Embedder> {
  const { signal, onProgress, ...rest } = options;
  const loading = { device: options.device, signal, onProgress };
  const place = await localModel(path, { signal, onProgress });
  const { tokenizer } = await openGenerationFiles(place);
  const model = await loadPretrainedEncoder(place, loading).catch((error: unknown) => {
    if (error instanceof WeftError && error.kind === "unsupported-model") return loadPretrained(place, loading);
    throw error;
  });
  return new Embedder(model, { tokenizer, ...(place.endsWith(".gguf") ? await ofGguf(place) : sentenceTransformers(place)), ...rest });
}

/** What a GGUF file says. */
async function ofGguf(path: string): Promise<Partial<EmbedderOptions>> {
  const [{ openGgufPath }, { poolingOfGguf }] = await Promise.all([import("@weft/io-gguf/node"), import("@weft/io-gguf")]);
  const file = await openGgufPath(path);
  try {
    const pooling = poolingOfGguf(file);
    return pooling === undefined ? {} : { pooling };
  } finally {
    await file.close();
  }
}

/** What the files of sentence-transformers in a model's folder say. */
function sentenceTransformers(folder: string): Partial<EmbedderOptions> {
  const read = (name: string): { readonly [field: string]: unknown } =>
    existsSync(join(folder, name)) ? readJsonObject(join(folder, name)) : {};
  const pooling = read("1_Pooling/config.json");
  const modes = Object.keys(pooling).filter((field) => field.startsWith("pooling_mode_") && pooling[field] === true);
  const unknown = modes.find((mode) => !POOLINGS[mode]);
  if (unknown !== undefined || modes.length > 1)
    throw new ConfigError(`${join(folder, "1_Pooling/config.json")}: pooling ${modes.join(" and ")} is not here`, {
      hint: `choose one of ${Object.values(POOLINGS).join(", ")}`,
    });
  const { max_seq_length: maxLength } = read("sentence_bert_config.json");
  return {
    ...(modes[0] !== undefined && { pooling: POOLINGS[modes[0]]! }),
    ...(typeof maxLength === "number" && { maxLength }),
  };
}
