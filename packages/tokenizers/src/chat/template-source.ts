import { show } from "@weft/io-safetensors";
import type { GgufMetadataLike } from "../gguf/metadata.js";
import { tokenizerError } from "../tokenizer-error.js";

/** What a `tokenizer_config.json` says of chats; other fields are not looked at. */
export interface TokenizerConfigLike {
  /** A template, or several under names. */
  readonly chat_template?: unknown;
  readonly [field: string]: unknown;
}

/** The templates of a model, and the tokens that they write. */
export interface TemplateSource {
  /** By name; that of a model with one is `default`. */
  readonly templates: ReadonlyMap<string, string>;
  /** `bos_token` and the like, as templates call them. */
  readonly specialTokens: Readonly<Record<string, string>>;
}

const TOKENS = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
export const DEFAULT = "default";

const wrong = (file: string | undefined, path: string, message: string): Error =>
  tokenizerError("tokenizer-schema", message, { file, path });
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** Templates as configs hold them: one text, a list of `{name, template}`, or an object of texts. */
function templatesOf(value: unknown, file: string | undefined): Map<string, string> {
  const path = "$.chat_template";
  if (value === undefined || value === null) return new Map();
  if (typeof value === "string") return new Map([[DEFAULT, value]]);
  const pairs = Array.isArray(value)
    ? value.map((one: unknown) => (isObject(one) ? [one["name"], one["template"]] : []))
    : isObject(value)
      ? Object.entries(value)
      : undefined;
  if (!pairs) throw wrong(file, path, `expected a template or a list of named ones, got ${typeof value}`);
  return new Map(
    pairs.map(([name, template], i) => {
      if (typeof name !== "string" || typeof template !== "string")
        throw wrong(file, `${path}[${i}]`, "expected a name and a template, both strings");
      return [name, template];
    }),
  );
}

/** A token of a config: its text, or an object that holds it. */
function tokenText(value: unknown, path: string, file: string | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = isObject(value) ? value["content"] : value;
  if (typeof text !== "string") throw wrong(file, path, `expected a token, got ${typeof text}`);
  return text;
}

/** @throws FormatError kind `tokenizer-schema` */
export function sourceOfConfig(config: TokenizerConfigLike, file?: string): TemplateSource {
  const tokens = TOKENS.map((name) => [name, tokenText(config[name], `$.${name}`, file)] as const);
  return {
    templates: templatesOf(config.chat_template, file),
    specialTokens: Object.fromEntries(tokens.filter((one): one is readonly [string, string] => one[1] !== undefined)),
  };
}

const GGUF_TOKENS = {
  bos_token: "bos_token_id",
  eos_token: "eos_token_id",
  unk_token: "unknown_token_id",
  sep_token: "seperator_token_id",
  pad_token: "padding_token_id",
  cls_token: "cls_token_id",
  mask_token: "mask_token_id",
};

/** Of `tokenizer.chat_template`, those under names, and the special tokens. @throws FormatError kind `tokenizer-metadata` */
export function sourceOfGguf(metadata: GgufMetadataLike, file?: string): TemplateSource {
  const value = (key: string): unknown => metadata.get(`tokenizer.${key}`)?.value;
  const error = (key: string, message: string): Error => tokenizerError("tokenizer-metadata", message, { file, path: `tokenizer.${key}` });
  const names = value("chat_templates") ?? [];
  if (!Array.isArray(names)) throw error("chat_templates", "expected a list of names");
  const templates = new Map<string, string>();
  for (const [name, key] of [
    [DEFAULT, "chat_template"],
    ...names.map((one: unknown) => [String(one), `chat_template.${String(one)}`] as const),
  ] as const) {
    const template = value(key);
    if (template === undefined && name === DEFAULT) continue;
    if (typeof template !== "string") throw error(key, `expected a template, got ${typeof template}`);
    templates.set(name, template);
  }
  const tokens = value("ggml.tokens");
  const specialTokens: Record<string, string> = {};
  for (const [name, key] of Object.entries(GGUF_TOKENS)) {
    const id = value(`ggml.${key}`);
    if (id === undefined) continue;
    const token: unknown = Array.isArray(tokens) ? tokens[Number(id)] : undefined;
    if (typeof token !== "string") throw error(`ggml.${key}`, `${show(String(id))} is the id of no token`);
    specialTokens[name] = token;
  }
  return { templates, specialTokens };
}
