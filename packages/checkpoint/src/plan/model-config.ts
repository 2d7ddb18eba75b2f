import { ConfigError } from "@weft/tensor-core";
import { setJsonField } from "../quantize/json-field.js";
import type { ModelConfig } from "../changes/tied.js";

/** What must change in the model's config. */
export interface ConfigEdit {
  readonly untie: boolean;
  readonly vocabulary: number | undefined;
  readonly dtype: "f32" | "f16" | "bf16" | undefined;
  /** Quantised weights are stored as their values. */
  readonly dequantized?: boolean;
}

const TORCH = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** Changes single values and leaves the rest of the text as it is: numbers such as 1e-05 and 10000.0 would not survive a rewrite. */
export function editConfig(text: string, { untie, vocabulary, dtype, dequantized = false }: ConfigEdit, file: string): string {
  let result = dequantized ? setJsonField(text, "quantization_config", undefined) : text;
  const set = (key: string, value: string, add: boolean): void => {
    const pattern = new RegExp(`("${key}"\\s*:\\s*)(true|false|null|-?\\d+|"[^"]*")`, "g");
    if (pattern.test(result)) result = result.replace(pattern, (_, before: string) => `${before}${value}`);
    else if (add) result = result.replace(/\{(\s*)/, (_, space: string) => `{${space}"${key}": ${value},${space || " "}`);
  };
  if (untie) set("tie_word_embeddings", "false", true);
  if (vocabulary !== undefined) set("vocab_size", String(vocabulary), false);
  if (dtype !== undefined) {
    set("torch_dtype", `"${TORCH[dtype]}"`, false);
    set("dtype", `"${TORCH[dtype]}"`, !result.includes('"torch_dtype"'));
  }
  try {
    JSON.parse(withoutMark(result));
  } catch (cause) {
    throw new ConfigError(`${file}: not valid JSON`, { kind: "config-json", file, cause });
  }
  return result;
}

/** Editors on Windows put a byte order mark in front of a text. */
const withoutMark = (text: string): string => text.replace(/^\ufeff/, "");

/** What a config.json says; undefined if it is no object. @throws ConfigError kind `config-json` */
export function parseModelConfig(text: string, file: string): ModelConfig | undefined {
  try {
    const value = JSON.parse(withoutMark(text)) as unknown;
    return typeof value === "object" && value !== null ? (value as ModelConfig) : undefined;
  } catch (cause) {
    throw new ConfigError(`${file}: not valid JSON`, { kind: "config-json", file, cause });
  }
}
