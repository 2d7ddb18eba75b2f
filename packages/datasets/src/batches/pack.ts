import { optionError } from "../data-error.js";

/** How documents are packed into rows of one length. */
export interface Packing {
  /** Tokens of a row. */
  readonly length: number;
  /** `first-fit`: the longest first, each into the first row that has room, which leaves the least padding; `in-order`: a row is closed when the next does not fit. */
  readonly strategy?: "first-fit" | "in-order";
}

/** Finds the first row with so much room, in time that grows with the logarithm of their number: a tree of the most room below each node. */
class Rooms {
  readonly #leaves: number;
  readonly #most: Int32Array;

  constructor(count: number, room: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(count, 1)));
    this.#most = new Int32Array(2 * this.#leaves).fill(room);
  }

  /** The first row with room, which then has less of it. */
  take(size: number): number {
    let node = 1;
    while (node < this.#leaves) node = this.#most[2 * node]! >= size ? 2 * node : 2 * node + 1;
    const row = node - this.#leaves;
    this.#most[node]! -= size;
    for (node >>= 1; node >= 1; node >>= 1) this.#most[node] = Math.max(this.#most[2 * node]!, this.#most[2 * node + 1]!);
    return row;
  }
}

/**
 * Which documents share a row.
 * @param lengths of the documents; @param order in which they are taken
 * @returns rows of indices
 * @throws ConfigError kind `dataset-option` for a document that is longer than a row
 */
export function packRows(lengths: ArrayLike<number>, order: readonly number[], { length, strategy = "first-fit" }: Packing): number[][] {
  if (!Number.isInteger(length) || length < 1) throw optionError(`packing: length is ${length}, expected an integer above 0`);
  for (const i of order)
    if (lengths[i]! > length)
      throw optionError(
        `packing: example ${i} has ${lengths[i]} tokens, a row has ${length}`,
        "encode with maxLength, so that what is cut is counted",
      );
  const rows: number[][] = [];
  if (strategy === "in-order") {
    let room = 0;
    for (const i of order) {
      if (lengths[i]! > room) {
        rows.push([]);
        room = length;
      }
      rows.at(-1)!.push(i);
      room -= lengths[i]!;
    }
    return rows;
  }
  const rooms = new Rooms(order.length, length);
  // Sorting is stable: of one length, what comes first in the order does.
  for (const i of [...order].sort((a, b) => lengths[b]! - lengths[a]!)) (rows[rooms.take(lengths[i]!)] ??= []).push(i);
  return rows;
}
