import type { Span } from "@weft/tokenizers/chat";
import { optionError, type Place } from "../data-error.js";
import { type CutToken, type Encoded, type EncodeWarning, IGNORED } from "./encoded.js";
import type { EncodeExampleOptions } from "./options.js";
import type { MaskedText } from "./spans.js";
import { keptRange } from "./truncate.js";

/** A text with what stands around it. */
export interface TextToEncode extends MaskedText {
  /** Tokens in front and behind, which no text has; the latter is trained on. */
  readonly begin?: number | undefined;
  readonly end?: number | undefined;
  /** Tokens that end an answer. */
  readonly endIds: ReadonlySet<number>;
  readonly place: Place;
}

/** The id of a token that options name. @throws ConfigError kind `dataset-option` */
export function idOf({ tokenizer }: EncodeExampleOptions, token: string | undefined, option: string): number | undefined {
  if (token === undefined) return undefined;
  const id = tokenizer.tokenToId(token);
  if (id === undefined) throw optionError(`${option}: the vocabulary has no token ${JSON.stringify(token)}`);
  return id;
}

/** Tokens of a text, without those that a tokenizer adds by itself. */
export const tokensOf = ({ tokenizer }: EncodeExampleOptions, text: string): ReturnType<EncodeExampleOptions["tokenizer"]["encode"]> =>
  tokenizer.encode(text, { addSpecialTokens: false, truncation: false, padding: false });

/** Which tokens overlap a span: those that HF's `char_to_token` of its ends, and all between, would be. */
function markSpan(trained: Uint8Array, offsets: readonly (readonly [number, number])[], [from, to]: Span): void {
  for (const [i, [begin, end]] of offsets.entries()) if (begin < to && end > from) trained[i] = 1;
}

/** Whether the tokens of what comes before a span are the first of the whole's: else a token reaches over the border. */
function prefixWarning(options: EncodeExampleOptions, { text, spans }: MaskedText, ids: readonly number[]): EncodeWarning[] {
  const from = spans[0]?.[0] ?? 0;
  if (from === 0) return [];
  const prompt = tokensOf(options, text.slice(0, from)).ids;
  if (prompt.every((id, i) => id === ids[i])) return [];
  return [
    {
      kind: "prompt-not-prefix",
      message: `the tokens of the prompt are not the first of the whole: one reaches over the border at character ${from}, and is trained on`,
    },
  ];
}

/** A text as tokens, labelled and cut. */
export function encodeText(options: EncodeExampleOptions, given: TextToEncode): Encoded {
  const { text, spans, turns, begin, end, endIds, place } = given;
  const { ids: inside, offsets: places } = tokensOf(options, text);
  const trained = new Uint8Array(inside.length);
  for (const span of spans) markSpan(trained, places, span);
  const front = begin === undefined ? [] : [begin];
  const back = end === undefined ? [] : [end];
  const ids = Int32Array.from([...front, ...inside, ...back]);
  const offsets = Int32Array.from([...front.flatMap(() => [0, 0]), ...places.flat(), ...back.flatMap(() => [text.length, text.length])]);
  const labels = ids.map((id, i) => {
    const at = i - front.length;
    // What nothing stands in front of, nothing predicts.
    if (i === 0 || at < 0) return IGNORED;
    return at >= inside.length || trained[at] === 1 ? id : IGNORED;
  });
  const [from, to] = keptRange(labels, options.maxLength, options.truncation ?? "answer");
  const cut = (first: number, last: number): CutToken[] =>
    Array.from({ length: last - first }, (_, i) => ({
      id: ids[first + i]!,
      offset: [offsets[2 * (first + i)]!, offsets[2 * (first + i) + 1]!],
    }));
  const kept = labels.slice(from, to);
  if (kept.length > 0) kept[0] = IGNORED;
  const ends = endIds.size === 0 ? undefined : kept.some((label) => endIds.has(label));
  const warnings = [...given.warnings, ...prefixWarning(options, given, inside)];
  if (ends === undefined)
    warnings.push({ kind: "no-end-token", message: "nothing says which token ends a text, so that the model does not learn to stop" });
  return {
    ids: ids.slice(from, to),
    labels: kept,
    text,
    offsets: offsets.slice(2 * from, 2 * to),
    turns,
    cut: { front: cut(0, from), back: cut(to, ids.length) },
    endTrained: ends,
    warnings,
    place,
  };
}
