/** The character between words in the text that repeats are looked for in; one in a word ends it there, as in the Python library. */
const BETWEEN = 0;

/** A part that occurs more than once, in code points, and how often. */
interface Repeat {
  readonly chars: readonly number[];
  readonly count: number;
}

/** Compares lists of numbers as words in a dictionary. */
function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/**
 * Every part of 2 to `most` characters that occurs more than once and of which no longer one, to the right, occurs as often: the inner nodes of the suffix
 * tree of all words. Suffixes are compared no further than matters.
 */
function repeats(words: readonly string[], most: number): Repeat[] {
  const text = Int32Array.from(words.flatMap((word) => [...Array.from(word, (char) => char.codePointAt(0)!), BETWEEN]));
  const at = (suffix: number, i: number): number => (suffix + i < text.length ? text[suffix + i]! : BETWEEN - 1);
  const suffixes = Int32Array.from(text, (_, i) => i).sort((a, b) => {
    for (let i = 0; i <= most; i++) if (at(a, i) !== at(b, i)) return at(a, i) - at(b, i);
    return a - b;
  });
  const found: Repeat[] = [];
  // Nodes above the current suffix: how deep they are, and where the suffixes below them begin.
  const open: { depth: number; from: number }[] = [{ depth: 0, from: 0 }];
  for (let i = 1; i <= suffixes.length; i++) {
    let common = 0;
    if (i < suffixes.length) while (common <= most && at(suffixes[i - 1]!, common) === at(suffixes[i]!, common)) common++;
    let from = i - 1;
    while (open.at(-1)!.depth > common) {
      const node = open.pop()!;
      ({ from } = node);
      const chars = [...text.subarray(suffixes[from]!, suffixes[from]! + node.depth)];
      if (node.depth >= 2 && node.depth <= most && !chars.includes(BETWEEN)) found.push({ chars, count: i - from });
    }
    if (open.at(-1)!.depth < common) open.push({ depth: common, from });
  }
  return found;
}

/**
 * Tokens to begin with: characters, and parts that repeat, the most of the text covering ones first; with log probabilities.
 * @see tokenizers `models/unigram/trainer.rs` make_seed_sentence_pieces
 */
export function seedPieces(words: ReadonlyMap<string, number>, maxPieceLength: number, seedSize: number): [string, number][] {
  const chars = new Map<string, number>();
  for (const [word, count] of words) for (const char of word) if (char !== "\0") chars.set(char, (chars.get(char) ?? 0) + count);
  const singles = [...chars].toSorted(([a, m], [b, n]) => n - m || b.codePointAt(0)! - a.codePointAt(0)!);
  const parts = repeats(
    [...words.keys()].filter((word) => word !== ""),
    maxPieceLength,
  )
    .map(({ chars: part, count }) => ({ part, score: count * part.length }))
    .toSorted((a, b) => b.score - a.score || compare(b.part, a.part))
    .map(({ part, score }): [string, number] => [String.fromCodePoint(...part), score]);
  const pieces = [...singles, ...parts.slice(0, Math.max(1, seedSize - singles.length))];
  const total = Math.log(pieces.reduce((sum, [, score]) => sum + score, 0));
  return pieces.map(([piece, score]) => [piece, Math.log(score) - total]);
}
