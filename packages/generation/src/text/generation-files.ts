import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { FormatError } from "@weft/tensor-core";
import { type GgufMetadataLike, Tokenizer, tokenizerFromGguf } from "@weft/tokenizers";
import { ChatTemplate } from "@weft/tokenizers/chat";
import { type GenerateOptions, generationDefaults } from "./options.js";

/** What generation needs of a model beside its weights. */
export interface GenerationFiles {
  readonly tokenizer: Tokenizer;
  /** Without any template for a model that is not made for chats. */
  readonly chatTemplate: ChatTemplate;
  /** Of `generation_config.json`, or of `config.json` where there is none; of a GGUF file its end tokens. */
  readonly defaults: GenerateOptions;
}

type JsonObject = { readonly [field: string]: unknown };

/** The object of a small JSON file. @throws FormatError kind `config-json` naming the file */
export function parseJsonObject(text: string | Uint8Array, file: string): JsonObject {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const value = plainJson(parseStrictJson(bytes, { file, kinds: { utf8: "config-json", json: "config-json" } }));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new FormatError(`${file}: expected an object`, { kind: "config-json", file });
}

/**
 * Tokenizer, chat template and generation config of a model's folder, as a page has its files.
 * @param files by their names in the folder: `tokenizer.json`, and as far as there are `tokenizer_config.json`, `special_tokens_map.json`, `chat_template.jinja`,
 * `generation_config.json`, `config.json`
 * @throws FormatError naming the file; kind `not-found` without `tokenizer.json`
 */
export async function readGenerationFiles(files: ReadonlyMap<string, Blob>): Promise<GenerationFiles> {
  const bytesOf = async (name: string): Promise<Uint8Array | undefined> => {
    const blob = files.get(name);
    return blob && new Uint8Array(await blob.arrayBuffer());
  };
  const objectOf = async (name: string): Promise<JsonObject | undefined> => {
    const bytes = await bytesOf(name);
    return bytes && parseJsonObject(bytes, name);
  };
  const tokenizer = await bytesOf("tokenizer.json");
  if (!tokenizer)
    throw new FormatError("tokenizer.json is not there", {
      kind: "not-found",
      file: "tokenizer.json",
      hint: "the model's own tokenizer.json belongs beside its config.json",
    });
  const config = { ...(await objectOf("special_tokens_map.json")), ...(await objectOf("tokenizer_config.json")) };
  const template = await files.get("chat_template.jinja")?.text();
  return {
    tokenizer: Tokenizer.fromJson(tokenizer),
    chatTemplate:
      template === undefined
        ? ChatTemplate.fromConfig(config, "tokenizer_config.json")
        : ChatTemplate.fromConfig({ ...config, chat_template: template }, "chat_template.jinja"),
    defaults: generationDefaults((await objectOf("generation_config.json")) ?? (await objectOf("config.json")) ?? {}),
  };
}

/** Tokenizer, chat template and end tokens that a GGUF file has. @param metadata of `openGguf` @param file its name, for errors */
export function ggufGenerationFiles(metadata: GgufMetadataLike, file: string): GenerationFiles {
  const ids = ["eos_token_id", "eot_token_id"].map((name) => metadata.get(`tokenizer.ggml.${name}`)?.value);
  const eosTokenId = [...new Set(ids.filter((id) => typeof id === "number"))];
  return {
    tokenizer: tokenizerFromGguf(metadata, file),
    chatTemplate: ChatTemplate.fromGguf(metadata, file),
    defaults: generationDefaults({ eos_token_id: eosTokenId }),
  };
}
