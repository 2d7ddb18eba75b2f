import { statSync } from "node:fs";
import { join } from "node:path";
import type { ConvertModule } from "@weft/convert";
import { architectureOfConfig } from "@weft/io-gguf";
import { openGgufPath } from "@weft/io-gguf/node";
import { ConfigError } from "@weft/tensor-core";
import { isGgufPath } from "./open-merge-base.js";
import { localPath } from "./open-input.js";
import { readModelConfig } from "./side-files.js";
import { type GgufModelShape, modulesOfGguf } from "./quantize/gguf-adapter.js";

/**
 * What of a model decides how its adapters lie in GGUF files.
 * @param base GGUF file, or a checkpoint with its config.json
 * @throws ConfigError kind `no-model-config`; CapabilityError kind `unsupported-model`
 */
export async function ggufModelShape(base: string): Promise<GgufModelShape> {
  const path = localPath(base);
  if (isGgufPath(path)) {
    const { metadata, close } = await openGgufPath(path);
    await close();
    const architecture = String(metadata.get("general.architecture")?.value);
    const number = (key: string): number => Number(metadata.get(`${architecture}.attention.${key}`)?.value);
    return { architecture, heads: number("head_count"), kvHeads: number("head_count_kv") || number("head_count") };
  }
  const folder = statSync(path).isDirectory() ? path : join(path, "..");
  const file = join(folder, "config.json");
  const model = readModelConfig(folder);
  if (!model) throw new ConfigError(`${file}: missing; which model it is stands there`, { kind: "no-model-config", file });
  const heads = Number(model.num_attention_heads);
  return { architecture: architectureOfConfig(model, file), heads, kvHeads: Number(model.num_key_value_heads ?? heads) };
}

/** The modules of a LoRA in a GGUF file. @param base the model that it is for, where that decides the order of rows @throws as `modulesOfGguf`, `ggufModelShape` */
export async function openGgufAdapter(path: string, base: string | undefined): Promise<ConvertModule[]> {
  const file = await openGgufPath(localPath(path));
  try {
    return await modulesOfGguf(file, base === undefined ? undefined : await ggufModelShape(base));
  } finally {
    await file.close();
  }
}
