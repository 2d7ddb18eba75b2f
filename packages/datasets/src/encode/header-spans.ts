import type { Span } from "@weft/tokenizers/chat";
import { tokensOf } from "./encode-text.js";
import type { AnswerHeaders, EncodeExampleOptions } from "./options.js";

const matches = (ids: readonly number[], at: number, wanted: readonly number[]): boolean => wanted.every((id, i) => ids[at + i] === id);

/** What stands between the tokens of a header and the token that ends an answer, which is with it; to the end of the text where none does. */
export function headerSpans(options: EncodeExampleOptions, text: string, headers: AnswerHeaders): Span[] {
  const { ids, offsets } = tokensOf(options, text);
  const header = tokensOf(options, headers.assistant).ids;
  const end = tokensOf(options, headers.end).ids[0];
  const spans: Span[] = [];
  for (let i = 0; i + header.length <= ids.length; i++) {
    if (header.length === 0 || !matches(ids, i, header)) continue;
    const from = i + header.length;
    let last = from;
    while (last < ids.length - 1 && ids[last] !== end) last++;
    if (from < ids.length) spans.push([offsets[from]![0], offsets[last]![1]]);
    i = last;
  }
  return spans;
}
