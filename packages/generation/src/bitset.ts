/** A set of numbers from 0 to `size` − 1, as bits: number i is bit i mod 32 of word ⌊i/32⌋. */
export type Bitset = Uint32Array;

/** An empty set. */
export const emptyBitset = (size: number): Bitset => new Uint32Array(Math.ceil(size / 32));

/** Whether a number is in a set. */
export const hasBit = (set: Bitset, i: number): boolean => (set[i >>> 5]! & (1 << (i & 31))) !== 0;

/** Puts a number into a set. */
export function addBit(set: Bitset, i: number): void {
  set[i >>> 5]! |= 1 << (i & 31);
}
