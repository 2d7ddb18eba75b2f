/** Where a token stands in its text: from, to. */
export type Offsets = readonly [number, number];

/** A text, or a pair of them, as tokens. All lists are of one length. */
export interface Encoding {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  /**
   * What part of its own text each token stands for, from and to, in UTF-16 units, so that `text.slice(...offsets[i])` is it; in code points, as Python
   * counts, if `offsetUnit` asks for it. [0, 0] of tokens that were added.
   */
  readonly offsets: readonly Offsets[];
  /** Which segment each belongs to, for models that tell them apart. */
  readonly typeIds: readonly number[];
  /** 1 of tokens that the template or padding added. */
  readonly specialTokensMask: readonly number[];
  /** 0 of padding. */
  readonly attentionMask: readonly number[];
  /** The number of the word, as pre-tokenization made them, in its text; null of tokens that were added. */
  readonly wordIds: readonly (number | null)[];
  /** 0 of the first text, 1 of the second; null of tokens that were added. */
  readonly sequenceIds: readonly (number | null)[];
  /** What truncation cut off, in pieces of the same length. */
  readonly overflowing: readonly Encoding[];
}

/** The lists of an encoding. */
type Lists = Omit<Encoding, "overflowing">;
const NAMES = ["ids", "tokens", "offsets", "typeIds", "specialTokensMask", "attentionMask", "wordIds", "sequenceIds"] as const;

/** Lists made by doing something to each of those of an encoding. */
function eachList(change: (name: (typeof NAMES)[number]) => readonly unknown[]): Lists {
  return Object.fromEntries(NAMES.map((name) => [name, change(name)])) as unknown as Lists;
}

export const EMPTY: Encoding = { ...eachList(() => []), overflowing: [] };

/** Tokens that a template adds, or padding. */
export function addedTokens(ids: readonly number[], tokens: readonly string[], typeId: number, attended: 0 | 1): Encoding {
  const all = <T>(value: T): T[] => ids.map(() => value);
  return {
    ids,
    tokens,
    offsets: all([0, 0] as const),
    typeIds: all(typeId),
    specialTokensMask: all(1),
    attentionMask: all(attended),
    wordIds: all(null),
    sequenceIds: all(null),
    overflowing: [],
  };
}

/** One after the other, without what overflows. */
const joined = (all: readonly Encoding[]): Lists => eachList((name) => all.flatMap((one) => one[name] as readonly unknown[]));

/** One after the other; what overflows of each is combined with the others and what overflows of them. @see tokenizers `encoding.rs` merge_with */
export function concatenate(all: readonly Encoding[]): Encoding {
  if (all.length === 1) return all[0]!;
  if (all.every((one) => one.overflowing.length === 0)) return { ...joined(all), overflowing: [] };
  return all.reduce((left, right) => {
    const both = (a: Encoding, b: Encoding): Encoding => ({ ...joined([a, b]), overflowing: [] });
    return {
      ...joined([left, right]),
      overflowing: [
        ...left.overflowing.flatMap((one) => [both(one, right), ...right.overflowing.map((other) => both(one, other))]),
        ...right.overflowing.map((other) => both(left, other)),
      ],
    };
  }, EMPTY);
}

/** The tokens from `from` to `to`. */
export const sliceEncoding = (encoding: Encoding, from: number, to: number): Encoding => ({
  ...eachList((name) => encoding[name].slice(from, to)),
  overflowing: [],
});

/** With something else in the lists, in what overflows as well. */
export const withLists = (encoding: Encoding, change: (one: Encoding) => Partial<Lists>): Encoding => ({
  ...encoding,
  ...change(encoding),
  overflowing: encoding.overflowing.map((one) => withLists(one, change)),
});
