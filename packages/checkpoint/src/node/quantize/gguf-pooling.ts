import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type GgufFile, type GgufMetadata, poolingConfig, poolingOfGguf, poolingType } from "@weft/io-gguf";
import { ConfigError } from "@weft/tensor-core";
import type { SideFile } from "../side-files.js";

const POOLING = "1_Pooling/config.json";

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
  const module = (idx: number, path: string, type: string): object => ({
    idx,
    name: String(idx),
    path,
    type: `sentence_transformers.models.${type}`,
  });
  return [
    text("modules.json", [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")]),
    text(POOLING, poolingConfig(file, pooling)),
  ];
}
