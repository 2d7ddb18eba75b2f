import type { MergeTraining, WordCounts } from "./options.js";

const point = (char: string): number => char.codePointAt(0)!;

/** The characters of words and those that are wanted in any case, by code point; of more than `limitAlphabet` the rarest are left out. */
export function alphabetOf(words: WordCounts, { limitAlphabet = Infinity, initialAlphabet = [] }: MergeTraining): string[] {
  const counts = new Map<string, number>();
  for (const [word, count] of words) for (const char of word) counts.set(char, (counts.get(char) ?? 0) + count);
  for (const text of initialAlphabet) {
    const [char] = text;
    if (char !== undefined) counts.set(char, Infinity);
  }
  const rarestFirst = [...counts].toSorted(([a, m], [b, n]) => (m === n ? point(a) - point(b) : m - n));
  return rarestFirst
    .slice(Math.max(0, rarestFirst.length - limitAlphabet))
    .map(([char]) => char)
    .toSorted((a, b) => point(a) - point(b));
}
