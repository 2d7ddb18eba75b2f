import { Field } from "../json/fields.js";
import { jsonValue, type PlainJson } from "../json/plain.js";
import { MAX_TOKEN_ID } from "../limits.js";
import { Tokenizer } from "../tokenizer.js";
import { type GgufMetadataLike, TokenizerMetadata } from "./metadata.js";
import { GGUF_MODELS, type GgufModel } from "./models.js";

/** Values of `tokenizer.ggml.token_type`. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

/**
 * The tokenizer of a GGUF file, from its metadata: byte-level and SentencePiece's BPE, WordPiece, Unigram, RWKV World.
 * @param metadata as `openGguf` of `@weft/io-gguf` gives it
 * @throws FormatError kinds `tokenizer-metadata`, `tokenizer-merge`, `limit`
 */
export function tokenizerFromGguf(metadata: GgufMetadataLike, file?: string): Tokenizer {
  const read = new TokenizerMetadata(metadata, file);
  const name = read.text("model");
  const readModel = GGUF_MODELS.get(name);
  if (!readModel) throw read.wrong("model", `expected ${[...GGUF_MODELS.keys()].join(", ")}, got ${JSON.stringify(name)}`);
  const stored = read.texts("tokens");
  if (stored.length === 0 || stored.length > MAX_TOKEN_ID) throw read.wrong("tokens", "there are none");
  const found = readModel(read, stored);
  const root = { ...found.parts, added_tokens: addedTokens(read, stored, found), post_processor: postProcessor(read, found) };
  return new Tokenizer(found.model, new Field(jsonValue(root), "tokenizer.ggml", file));
}

/** Tokens that are found in a text before it is split: those that control, and those that users have defined. */
function addedTokens(metadata: TokenizerMetadata, stored: readonly string[], { tokens }: GgufModel): PlainJson {
  const types = metadata.numbers("token_type", stored);
  return tokens.flatMap((content, id) => {
    const type = types?.[id];
    if (type !== UNKNOWN && type !== CONTROL && type !== USER_DEFINED) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: type !== USER_DEFINED }];
  });
}

/** The token before a text and that after it. */
function postProcessor(metadata: TokenizerMetadata, { tokens, adds }: GgufModel): PlainJson {
  const begin = metadata.flag("add_bos_token", adds.bos)
    ? (metadata.id("cls_token_id", tokens) ?? metadata.id("bos_token_id", tokens))
    : undefined;
  const end =
    metadata.flag("add_eos_token", adds.eos) || metadata.flag("add_sep_token", false)
      ? (metadata.id("seperator_token_id", tokens) ?? metadata.id("eos_token_id", tokens))
      : undefined;
  if (begin === undefined && end === undefined) return null;
  const special = (id: number | undefined, type_id: number): PlainJson[] =>
    id === undefined ? [] : [{ SpecialToken: { id: tokens[id]!, type_id } }];
  const text = (id: string, type_id: number): PlainJson => ({ Sequence: { id, type_id } });
  const single = [...special(begin, 0), text("A", 0), ...special(end, 0)];
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, ...(end === undefined ? special(begin, 0) : []), text("B", 1), ...special(end, 1)],
    special_tokens: Object.fromEntries(
      [begin, end].filter((id) => id !== undefined).map((id) => [tokens[id]!, { id: tokens[id]!, ids: [id], tokens: [tokens[id]!] }]),
    ),
  };
}
