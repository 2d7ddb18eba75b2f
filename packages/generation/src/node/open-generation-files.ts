import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Tokenizer } from "@weft/tokenizers";
import { ChatTemplate } from "@weft/tokenizers/chat";
import { openChatTemplate } from "@weft/tokenizers/chat/node";
import { openTokenizer } from "@weft/tokenizers/node";
import { type GenerateOptions, generationDefaults } from "../text/options.js";
import { readJsonObject } from "./read-json.js";

/** What generation needs of a model beside its weights. */
export interface GenerationFiles {
  readonly tokenizer: Tokenizer;
  /** Without any template for a model that is not made for chats. */
  readonly chatTemplate: ChatTemplate;
  /** Of `generation_config.json`, or of `config.json` where there is none; of a GGUF file its end tokens. */
  readonly defaults: GenerateOptions;
}

/**
 * Reads tokenizer, chat template and generation config of a model's folder or GGUF file.
 * @throws FormatError naming the file; IoError
 */
export async function openGenerationFiles(path: string): Promise<GenerationFiles> {
  if (path.endsWith(".gguf")) return ofGguf(path);
  const config = ["generation_config.json", "config.json"].map((name) => join(path, name)).find((file) => existsSync(file));
  return {
    tokenizer: await openTokenizer(path),
    chatTemplate: openChatTemplate(path),
    defaults: generationDefaults(config === undefined ? {} : readJsonObject(config)),
  };
}

async function ofGguf(path: string): Promise<GenerationFiles> {
  const [{ openGgufPath }, { tokenizerFromGguf }] = await Promise.all([import("@weft/io-gguf/node"), import("@weft/tokenizers")]);
  const file = await openGgufPath(path);
  try {
    const { metadata } = file;
    const ids = ["eos_token_id", "eot_token_id"].map((name) => metadata.get(`tokenizer.ggml.${name}`)?.value);
    const eosTokenId = [...new Set(ids.filter((id) => typeof id === "number"))];
    return {
      tokenizer: tokenizerFromGguf(metadata, path),
      chatTemplate: ChatTemplate.fromGguf(metadata, path),
      defaults: generationDefaults({ eos_token_id: eosTokenId }),
    };
  } finally {
    await file.close();
  }
}
