import { Trie } from "../models/trie.js";
import { UNKNOWN_PENALTY } from "../models/unigram.js";
import { unitsAt } from "../text/characters.js";

/** A token at a place in a word. */
interface LatticeNode {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** log(eᵃ + eᵇ) */
function logSum(a: number, b: number): number {
  const [less, more] = a > b ? [b, a] : [a, b];
  return more > less + 50 ? more : more + Math.log(Math.exp(less - more) + 1);
}

/** All ways in which pieces take words apart. The first piece stands for what no other covers. */
export class Lattices {
  readonly #scores: readonly number[];
  readonly #trie: Trie;
  readonly #unknown: number;

  constructor(pieces: readonly (readonly [string, number])[]) {
    this.#scores = pieces.map(([, score]) => score);
    this.#trie = new Trie(pieces.map(([piece], id) => [piece, id]));
    this.#unknown = this.#scores.reduce((least, score) => (score < least ? score : least), Infinity) - UNKNOWN_PENALTY;
  }

  /** The worst score of a piece. */
  get minScore(): number {
    return this.#unknown + UNKNOWN_PENALTY;
  }

  /** Nodes in the order in which they begin, shorter ones first. @param without a length at the begin that is left out */
  #nodes(word: string, without = -1): LatticeNode[] {
    const nodes: LatticeNode[] = [];
    for (let start = 0; start < word.length; start += unitsAt(word, start)) {
      const width = unitsAt(word, start);
      let single = false;
      this.#trie.prefixes(word, start, (end, id) => {
        single ||= end - start === width;
        if (start > 0 || end !== without) nodes.push({ id, start, end, score: this.#scores[id]! });
      });
      if (!single) nodes.push({ id: 0, start, end: start + width, score: this.#unknown });
    }
    return nodes;
  }

  /** The best way and its score, undefined if there is none. @param without a length at the begin that is left out */
  best(word: string, without?: number): { readonly ids: readonly number[]; readonly score: number } | undefined {
    const nodes = this.#nodes(word, without);
    const scores: number[] = [0];
    const last: LatticeNode[] = [];
    for (const node of nodes) {
      const before = scores[node.start];
      if (before === undefined) continue;
      const score = before + node.score;
      if (scores[node.end] !== undefined && !(score > scores[node.end]!)) continue;
      scores[node.end] = score;
      last[node.end] = node;
    }
    const score = scores[word.length];
    if (score === undefined) return undefined;
    const ids: number[] = [];
    for (let end = word.length; end > 0; end = last[end]!.start) ids.push(last[end]!.id);
    return { ids: ids.reverse(), score };
  }

  /** Adds to `expected` how often each piece is expected in a word that occurs `count` times. */
  expect(word: string, count: number, expected: Float64Array): void {
    const nodes = this.#nodes(word);
    const alpha: (number | undefined)[] = [0];
    const beta: (number | undefined)[] = [];
    beta[word.length] = 0;
    for (const { start, end, score } of nodes) {
      const way = alpha[start]! + score;
      alpha[end] = alpha[end] === undefined ? way : logSum(alpha[end], way);
    }
    for (const { start, end, score } of nodes.toReversed()) {
      const rest = beta[end];
      if (rest === undefined) continue;
      beta[start] = beta[start] === undefined ? rest + score : logSum(beta[start], rest + score);
    }
    const total = alpha[word.length]!;
    for (const { id, start, end, score } of nodes)
      expected[id]! += count * Math.exp(alpha[start]! + score + (beta[end] ?? -Infinity) - total);
  }
}
