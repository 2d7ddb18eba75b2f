import { Field } from "../json/fields.js";
import { jsonValue } from "../json/plain.js";
import { MAX_TOKEN_ID, MAX_TOKENIZER_BYTES, MAX_TOKENS } from "../limits.js";
import { LongestMatch } from "../models/longest-match.js";
import { Vocabulary } from "../models/vocabulary.js";
import { BYTE_CHARS } from "../text/byte-level.js";
import { tokenizerError } from "../tokenizer-error.js";
import { Tokenizer } from "../tokenizer.js";
import { pythonLiteral } from "./python-literal.js";

/** The id that ends a text; it has no text of its own. */
const END_OF_TEXT = 0;

/**
 * The tokenizer of an RWKV World model. Ids are found byte by byte, always the longest that fits; 0 ends a text.
 * @param source lines of an id, a string or bytes as Python writes them, and the number of bytes
 * @throws FormatError kinds `tokenizer-schema`, `duplicate-key`, `limit`
 */
export function tokenizerFromRwkv(source: string | Uint8Array, file = "rwkv_vocab.txt"): Tokenizer {
  if (source.length > MAX_TOKENIZER_BYTES) throw tokenizerError("limit", `longer than ${MAX_TOKENIZER_BYTES} bytes`, { file });
  const text = typeof source === "string" ? source : new TextDecoder().decode(source);
  const ids = new Map<string, number>();
  const taken = new Set<number>([END_OF_TEXT]);
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = { file, path: `line ${i + 1}` };
    const parts = /^(\d{1,10}) (.*) (\d{1,10})\r?$/s.exec(line);
    const bytes = parts && pythonLiteral(parts[2]!);
    if (!parts || !bytes || bytes.length === 0 || bytes.length !== Number(parts[3]))
      throw tokenizerError(
        "tokenizer-schema",
        `expected an id, a literal of Python and its length in bytes, got ${JSON.stringify(line.slice(0, 80))}`,
        place,
      );
    const id = Number(parts[1]);
    if (id > MAX_TOKEN_ID || ids.size >= MAX_TOKENS)
      throw tokenizerError("limit", `ids up to ${MAX_TOKEN_ID} are read, and ${MAX_TOKENS} tokens`, place);
    const token = Array.from(bytes, (byte) => BYTE_CHARS[byte]).join("");
    if (ids.has(token) || taken.has(id)) throw tokenizerError("duplicate-key", `token or id ${id} is there already`, place);
    ids.set(token, id);
    taken.add(id);
  }
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  return new Tokenizer(
    new LongestMatch(new Vocabulary(ids)),
    new Field(jsonValue({ pre_tokenizer: byteLevel, decoder: byteLevel }), "$", file),
  );
}
