import { alphabetOf } from "./alphabet.js";
import type { MergeTraining, WordCounts } from "./options.js";
import { Queue } from "./queue.js";

/** Tokens in the order of their ids, and merges in the order in which they were learned. */
export interface Learned {
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

/** A word as it is now: ids, and how many characters each has. */
interface Word {
  readonly ids: number[];
  readonly lengths: number[];
  readonly count: number;
}

/** A pair that may be merged next, in the words where it occurred when it was found. */
interface Candidate {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: ReadonlySet<number>;
}

/** Two ids as one number; vocabularies have far fewer than 2²⁶ tokens. */
const PAIR = 2 ** 26;

/**
 * Learns merges: always the pair that occurs most often, of equally frequent ones that of the lowest ids.
 * @see tokenizers `models/bpe/trainer.rs` do_train
 */
export function learnMerges(words: WordCounts, vocabSize: number, specialTokens: readonly string[], options: MergeTraining): Learned {
  const { minFrequency = 0, continuingSubwordPrefix: prefix = "", endOfWordSuffix: suffix = "", maxTokenLength = Infinity } = options;
  const tokens: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (token: string): number => {
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.push(token) - 1;
      ids.set(token, id);
    }
    return id;
  };
  for (const token of [...specialTokens, ...alphabetOf(words, options)]) idOf(token);
  const known = new Set(ids.keys());
  const all: Word[] = [...words].map(([word, count]) => {
    const chars = [...word];
    // What the alphabet does not have is left out.
    const kept = chars.flatMap((char, i) =>
      known.has(char) ? [`${i > 0 ? prefix : ""}${char}${i === chars.length - 1 ? suffix : ""}`] : [],
    );
    return { ids: kept.map(idOf), lengths: kept.map(() => 1), count };
  });

  const counts = new Map<number, number>();
  const queue = new Queue<Candidate>(
    (a, b) => a.count > b.count || (a.count === b.count && (a.left < b.left || (a.left === b.left && a.right < b.right))),
  );
  let found = new Map<number, Set<number>>();
  const note = (left: number, right: number, change: number, word: number): void => {
    const pair = left * PAIR + right;
    counts.set(pair, (counts.get(pair) ?? 0) + change * all[word]!.count);
    if (change <= 0) return;
    const where = found.get(pair);
    if (where) where.add(word);
    else found.set(pair, new Set([word]));
  };
  const offer = (): void => {
    for (const [pair, where] of found) {
      const count = counts.get(pair)!;
      if (count > 0) queue.push({ left: Math.floor(pair / PAIR), right: pair % PAIR, count, words: where });
    }
    found = new Map();
  };
  for (const [i, word] of all.entries()) for (let at = 1; at < word.ids.length; at++) note(word.ids[at - 1]!, word.ids[at]!, 1, i);
  offer();

  const merges = new Map<number, readonly [string, string]>();
  while (tokens.length < vocabSize) {
    const top = queue.pop();
    if (!top) break;
    const pair = top.left * PAIR + top.right;
    if (top.count !== counts.get(pair)) {
      top.count = counts.get(pair)!;
      queue.push(top);
      continue;
    }
    if (top.count < 1 || top.count < minFrequency) break;
    const [left, right] = [tokens[top.left]!, tokens[top.right]!];
    const made = idOf(left + (prefix !== "" && right.startsWith(prefix) ? right.slice(prefix.length) : right));
    // A pair that is learned twice, as its token was there before it, has the later rank.
    merges.delete(pair);
    merges.set(pair, [left, right]);
    for (const i of top.words) mergeIn(all[i]!, top, made, maxTokenLength, (a, b, change) => note(a, b, change, i));
    offer();
  }
  return { tokens, merges: [...merges.values()] };
}

/** Merges a pair wherever it stands in a word. @param note is told which pairs are gone (−1) and which are new (1) */
function mergeIn(
  { ids, lengths }: Word,
  { left, right }: Candidate,
  made: number,
  maxLength: number,
  note: (left: number, right: number, change: number) => void,
): void {
  for (let at = 0; at + 1 < ids.length; at++) {
    if (ids[at] !== left || ids[at + 1] !== right) continue;
    const length = lengths[at]! + lengths[at + 1]!;
    if (at > 0) {
      note(ids[at - 1]!, left, -1);
      if (lengths[at - 1]! + length < maxLength) note(ids[at - 1]!, made, 1);
    }
    ids.splice(at, 2, made);
    lengths.splice(at, 2, length);
    if (at + 1 < ids.length) {
      note(right, ids[at + 1]!, -1);
      if (lengths[at + 1]! + length < maxLength) note(made, ids[at + 1]!, 1);
    }
  }
}
