import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type GgufFile, type GgufMetadata, poolingConfig, poolingOfGguf, poolingType } from "@weft/io-gguf";
import { ConfigError } from "@weft/tensor-core";
import type { SideFile } from "../side-files.js";

const POOLING = "1_Pooling/config.json";
const MODULES = [
  { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
  { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
];

/** Metadata of how a sentence encoder makes one vector of a text, where its folder says it. @throws ConfigError kind `config-json`; CapabilityError kind `unsupported-model` */
export function poolingMetadata(folder: string, architecture: string): GgufMetadata {
  const file = join(folder, POOLING);
  if (!existsSync(file)) return new Map();
  let config: { readonly [field: string]: unknown };
  try {
    config = JSON.parse(readFileSync(file, "utf8")) as typeof config;
  } catch (cause) {
    throw new ConfigError(`${file}: not valid JSON`, { kind: "config-json", file, cause });
  }
  return new Map([[`${architecture}.pooling_type`, { type: "u32", value: poolingType(config, file) }]]);
}

/** The files of sentence-transformers for the pooling that a file names. @param from the path that the file was named by */
export function poolingFiles(file: GgufFile, from: string): SideFile[] {
  const pooling = poolingOfGguf(file);
  if (pooling === undefined) return [];
  const text = (name: string, json: unknown): SideFile => ({ name, from, text: `${JSON.stringify(json, undefined, 2)}\n` });
  return [text("modules.json", MODULES), text(POOLING, poolingConfig(file, pooling))];
}
