import type { Field } from "../json/fields.js";
import { MAX_TOKENS } from "../limits.js";

/** A token beside the vocabulary, which is found in texts before they are split. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Only where no word character stands beside it. */
  readonly singleWord: boolean;
  /** White space before it belongs to it. */
  readonly lstrip: boolean;
  /** White space after it belongs to it. */
  readonly rstrip: boolean;
  /** It is found in the normalized text, as its normalized content. */
  readonly normalized: boolean;
  /** It is left out where special tokens are skipped. */
  readonly special: boolean;
}

/** `added_tokens` of a file. */
export function readAddedTokens(field: Field): AddedToken[] {
  if (field.absent) return [];
  if (field.list.length > MAX_TOKENS) throw field.error(`${field.list.length} tokens, at most ${MAX_TOKENS} are read`, "limit");
  return field.items().map((item) => ({
    id: item.at("id").integer(),
    content: item.at("content").string(),
    singleWord: item.at("single_word").boolean(),
    lstrip: item.at("lstrip").boolean(),
    rstrip: item.at("rstrip").boolean(),
    normalized: item.at("normalized").boolean(),
    special: item.at("special").boolean(),
  }));
}
