import type { GgufFile } from "@weft/io-gguf";
import { loadRegexEngine, tokenizerFromGguf } from "@weft/tokenizers";
import { WeftError } from "@weft/tensor-core";
import type { SideFile } from "../side-files.js";

/** The files of a tokenizer, or why there are none. */
export interface TokenizerSide {
  readonly files: readonly SideFile[];
  readonly notice: string | undefined;
}

/** Keys of special tokens: in GGUF files, and in tokenizer_config.json. */
const SPECIAL = [
  ["bos_token_id", "bos_token"],
  ["eos_token_id", "eos_token"],
  ["unknown_token_id", "unk_token"],
  ["seperator_token_id", "sep_token"],
  ["padding_token_id", "pad_token"],
  ["cls_token_id", "cls_token"],
  ["mask_token_id", "mask_token"],
] as const;

/** tokenizer.json and tokenizer_config.json of the tokenizer in a GGUF file, as transformers reads them. @param from the path that the file was named by */
export async function ggufTokenizerFiles({ metadata, location }: GgufFile, from: string): Promise<TokenizerSide> {
  const value = (key: string): unknown => metadata.get(key)?.value;
  const none = (why: string): TokenizerSide => ({ files: [], notice: `${from}: its tokenizer is not written: ${why}` });
  if (value("tokenizer.ggml.model") === undefined) return none("there is none in the file");
  try {
    await loadRegexEngine();
    const tokenizer = tokenizerFromGguf(metadata, location).toJson();
    if (!tokenizer) return none("a tokenizer.json has no form for it");
    const tokens = value("tokenizer.ggml.tokens") as readonly unknown[];
    const special = SPECIAL.flatMap(([key, name]) => {
      const token = tokens[Number(value(`tokenizer.ggml.${key}`) ?? -1)];
      return typeof token === "string" ? [[name, token] as const] : [];
    });
    const template = value("tokenizer.chat_template");
    const config = {
      ...Object.fromEntries(special),
      clean_up_tokenization_spaces: false,
      tokenizer_class: "PreTrainedTokenizerFast",
      ...(typeof template === "string" && { chat_template: template }),
    };
    const text = (name: string, json: object): SideFile => ({ name, from, text: `${JSON.stringify(json, undefined, 2)}\n` });
    return { files: [text("tokenizer.json", tokenizer), text("tokenizer_config.json", config)], notice: undefined };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return none(error.message);
  }
}
