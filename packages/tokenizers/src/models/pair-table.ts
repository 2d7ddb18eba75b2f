/** Numbers by pairs of others below 2³²: a hash table without an object per entry. */
export class PairTable {
  readonly #mask: number;
  readonly #left: Uint32Array;
  readonly #right: Uint32Array;
  /** Values plus one; 0 where there is none. */
  readonly #values: Uint32Array;

  /** @param most entries that it will have */
  constructor(most: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(most, 4) * 2));
    this.#mask = slots - 1;
    this.#left = new Uint32Array(slots);
    this.#right = new Uint32Array(slots);
    this.#values = new Uint32Array(slots);
  }

  #slot(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = Math.imul(hash, 0x2c1b3c6d) & this.#mask;
    while (this.#values[slot] !== 0 && (this.#left[slot] !== left || this.#right[slot] !== right)) slot = (slot + 1) & this.#mask;
    return slot;
  }

  /** A value below 2³² − 1, in the place of one that is there. */
  set(left: number, right: number, value: number): void {
    const slot = this.#slot(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#values[slot] = value + 1;
  }

  /** @returns −1 if there is none */
  get(left: number, right: number): number {
    return this.#values[this.#slot(left, right)]! - 1;
  }
}
