import { optionError } from "../tokenizer-error.js";
import { Lattices } from "./lattice.js";
import type { TrainUnigramOptions, WordCounts } from "./options.js";
import { seedPieces } from "./seed-pieces.js";

type Piece = readonly [string, number];

/** A vocabulary is a tenth larger than asked for before its last pruning. */
const withSurplus = (vocabSize: number): number => Math.floor((vocabSize * 11) / 10);
/** Pieces that are expected less often are dropped. */
const LEAST_EXPECTED = 0.5;
/** By how much required characters that training has dropped differ from each other. */
const PENALTY_STEP = 0.0001;

/** The derivative of log Γ. @see tokenizers `models/unigram/trainer.rs` digamma */
function digamma(x: number): number {
  let result = 0;
  let at = x;
  for (; at < 7; at++) result -= 1 / at;
  at -= 0.5;
  const x2 = 1 / at ** 2;
  return result + Math.log(at) + (1 / 24) * x2 - (7 / 960) * x2 ** 2 + (31 / 8064) * x2 ** 3 - (127 / 30_720) * x2 ** 4;
}

/** One step of expectation maximization, with a prior that favours few pieces. The first piece, the unknown one, stays. */
function step(pieces: readonly Piece[], words: WordCounts): Piece[] {
  const lattices = new Lattices(pieces);
  const expected = new Float64Array(pieces.length);
  for (const [word, count] of words) lattices.expect(word, count, expected);
  const kept = pieces.flatMap(([piece], id): Piece[] => (id > 0 && expected[id]! >= LEAST_EXPECTED ? [[piece, expected[id]!]] : []));
  const total = digamma(kept.reduce((sum, [, count]) => sum + count, 0));
  return [pieces[0]!, ...kept.map(([piece, count]): Piece => [piece, digamma(count) - total])];
}

/** Drops the pieces without which the likelihood of the words falls least. */
function prune(pieces: readonly Piece[], words: WordCounts, vocabSize: number, shrinkingFactor: number): Piece[] {
  const lattices = new Lattices(pieces);
  // How each piece would be taken apart without it; undefined if it cannot be, or would be better so.
  const alternatives = pieces.map(([piece, score], id) => {
    if (id === 0) return { keep: false, ids: [] };
    const other = lattices.best(piece, piece.length);
    if (!other) return { keep: true, ids: [] };
    return other.score > score ? { keep: false, ids: [] } : { keep: true, ids: other.ids };
  });
  const counts = new Float64Array(pieces.length);
  const occurrences = new Float64Array(pieces.length);
  let sentences = 0;
  for (const [word, count] of words) {
    sentences += count;
    for (const id of lattices.best(word)?.ids ?? []) {
      counts[id]! += count;
      occurrences[id]! += count;
    }
  }
  const sum = counts.reduce((a, b) => a + b, 0);
  const kept: Piece[] = [pieces[0]!];
  const candidates: { id: number; loss: number }[] = [];
  for (let id = 1; id < pieces.length; id++) {
    const { keep, ids } = alternatives[id]!;
    const count = counts[id]!;
    if (count === 0 && !keep) continue;
    if (ids.length === 0) {
      kept.push(pieces[id]!);
      continue;
    }
    if (occurrences[id] === 0) continue;
    // Its occurrences go to the pieces that it is taken apart into: the library counts all pieces in their place, sentencepiece these alone.
    const logSumAfter = Math.log(sum + count * (pieces.length - 1));
    const after = ids.reduce((total, other) => total + Math.log(counts[other]! + count) - logSumAfter, 0);
    candidates.push({ id, loss: (occurrences[id]! / sentences) * (Math.log(count) - Math.log(sum) - after) });
  }
  const target = Math.max(withSurplus(vocabSize), Math.floor(pieces.length * shrinkingFactor));
  candidates.sort((a, b) => b.loss - a.loss);
  for (const { id } of candidates) {
    if (kept.length === target) break;
    kept.push(pieces[id]!);
  }
  return kept;
}

/**
 * Learns pieces and their log probabilities, without those that are special.
 * @param room how many pieces there may be
 * @throws ConfigError kind `tokenizer-option` if the vocabulary is too small for all characters
 * @see tokenizers `models/unigram/trainer.rs` do_train
 */
export function learnUnigram(words: WordCounts, room: number, options: TrainUnigramOptions): Piece[] {
  const { vocabSize, initialAlphabet = [], shrinkingFactor = 0.75, subIterations = 2, maxPieceLength = 16, seedSize = 1_000_000 } = options;
  const required = new Set([...words.keys(), ...initialAlphabet].flatMap((word) => [...word]));
  if (required.size > vocabSize) throw optionError(`vocabSize ${vocabSize} is less than the ${required.size} characters that words have`);
  let pieces: Piece[] = [["<UNK>", NaN], ...seedPieces(words, maxPieceLength, seedSize)];
  for (;;) {
    for (let i = 0; i < subIterations; i++) pieces = step(pieces, words);
    if (pieces.length <= withSurplus(vocabSize)) break;
    pieces = prune(pieces, words, vocabSize, shrinkingFactor);
  }
  return finish(
    pieces,
    [...required].toSorted((a, b) => a.codePointAt(0)! - b.codePointAt(0)!),
    room,
  );
}

/** All required characters, and the first of the other pieces, best first. */
function finish(pieces: readonly Piece[], required: readonly string[], room: number): Piece[] {
  const scores = new Map(pieces);
  const worst = new Lattices(pieces).minScore;
  let missing = 0;
  const chosen = new Map<string, number>(required.map((char) => [char, scores.get(char) ?? worst + PENALTY_STEP * missing++]));
  for (const [piece, score] of pieces.slice(1)) {
    if (chosen.has(piece)) continue;
    chosen.set(piece, score);
    if (chosen.size === room) break;
  }
  return [...chosen].toSorted(([, a], [, b]) => b - a);
}
