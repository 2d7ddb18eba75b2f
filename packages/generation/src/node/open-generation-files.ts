import { existsSync } from "node:fs";
import { join } from "node:path";
import { openChatTemplate } from "@weft/tokenizers/chat/node";
import { openTokenizer } from "@weft/tokenizers/node";
import { type GenerationFiles, ggufGenerationFiles } from "../text/generation-files.js";
import { generationDefaults } from "../text/options.js";
import { readJsonObject } from "./read-json.js";

export type { GenerationFiles };

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
  const { openGgufPath } = await import("@weft/io-gguf/node");
  const file = await openGgufPath(path);
  try {
    return ggufGenerationFiles(file.metadata, path);
  } finally {
    await file.close();
  }
}
