import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { readBounded } from "../../node/read-bounded.js";
import { tokenizerError } from "../../tokenizer-error.js";
import { ChatTemplate } from "../chat-template.js";
import { MAX_CONFIG_BYTES, MAX_TEMPLATE_LENGTH } from "../limits.js";
import type { TokenizerConfigLike } from "../template-source.js";

/** Bytes of a UTF-8 file that has as many UTF-16 units as are read. */
const MAX_TEMPLATE_BYTES = 3 * MAX_TEMPLATE_LENGTH;
const SUFFIX = ".jinja";

function readObject(file: string): Record<string, unknown> {
  if (!existsSync(file)) return {};
  const kinds = { utf8: "tokenizer-json", json: "tokenizer-json" } as const;
  const value = plainJson(parseStrictJson(readBounded(file, MAX_CONFIG_BYTES), { file, kinds, maxBytes: MAX_CONFIG_BYTES }));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw tokenizerError("tokenizer-schema", "expected an object", { file, path: "$" });
  return value as Record<string, unknown>;
}

const readText = (file: string): string => new TextDecoder().decode(readBounded(file, MAX_TEMPLATE_BYTES));

/**
 * The chat templates of a model's folder: of `chat_template.jinja` and `additional_chat_templates/*.jinja`, else of `tokenizer_config.json`; their special
 * tokens are those of `tokenizer_config.json`, or of `special_tokens_map.json` where it has none.
 * @throws FormatError kinds `tokenizer-json`, `tokenizer-schema`, `limit`, `no-permission`, `not-a-file`; IoError
 */
export function openChatTemplate(folder: string): ChatTemplate {
  const configFile = join(folder, "tokenizer_config.json");
  const config: TokenizerConfigLike = { ...readObject(join(folder, "special_tokens_map.json")), ...readObject(configFile) };
  const file = join(folder, "chat_template.jinja");
  const more = join(folder, "additional_chat_templates");
  if (!existsSync(file)) return ChatTemplate.fromConfig(config, configFile);
  const others = existsSync(more) ? readdirSync(more).filter((name) => name.endsWith(SUFFIX)) : [];
  const chat_template = [
    { name: "default", template: readText(file) },
    ...others.map((name) => ({ name: name.slice(0, -SUFFIX.length), template: readText(join(more, name)) })),
  ];
  return ChatTemplate.fromConfig({ ...config, chat_template }, file);
}
