import { PairTable } from "./pair-table.js";

/** Texts by their beginnings, by UTF-16 units. */
export class Trie {
  readonly #children: PairTable;
  readonly #ends: Int32Array;

  /** @param texts and a value of each, from 0 */
  constructor(texts: Iterable<readonly [string, number]>) {
    const all = [...texts];
    const units = all.reduce((sum, [text]) => sum + text.length, 0);
    this.#children = new PairTable(units);
    const ends: number[] = [-1];
    for (const [text, value] of all) {
      let node = 0;
      for (let i = 0; i < text.length; i++) {
        let next = this.#children.get(node, text.charCodeAt(i));
        if (next < 0) {
          next = ends.push(-1) - 1;
          this.#children.set(node, text.charCodeAt(i), next);
        }
        node = next;
      }
      ends[node] = value;
    }
    this.#ends = Int32Array.from(ends);
  }

  /** Every text that begins at `from`, the shortest first. */
  prefixes(text: string, from: number, found: (end: number, value: number) => void): void {
    let node = 0;
    for (let at = from; at < text.length;) {
      node = this.#children.get(node, text.charCodeAt(at++));
      if (node < 0) return;
      const value = this.#ends[node]!;
      if (value >= 0) found(at, value);
    }
  }
}
