/** By how many bits each round turns a word; from the ninth on again. */
export const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
/** What the third word of the schedule has beside the two of the key. */
export const PARITY = 0x1bd11bda;

/**
 * A block of Threefry-2x32 with 20 rounds: two random 32-bit integers (signed) of a key and a counter of two words each.
 * @see Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); the Random123 library.
 */
export function threefryBlock(key: ArrayLike<number>, counter: ArrayLike<number>): [x: number, y: number] {
  const k0 = key[0]! | 0;
  const k1 = key[1]! | 0;
  const schedule = [k0, k1, k0 ^ k1 ^ PARITY];
  let x = (counter[0]! + k0) | 0;
  let y = (counter[1]! + k1) | 0;
  for (let round = 0; round < 20; round++) {
    x = (x + y) | 0;
    const r = ROTATIONS[round % 8]!;
    y = ((y << r) | (y >>> (32 - r))) ^ x;
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x = (x + schedule[s % 3]!) | 0;
      y = (y + schedule[(s + 1) % 3]! + s) | 0;
    }
  }
  return [x, y];
}

/** `count` random 32-bit integers (signed) from a key: element i is word i mod 2 of the block whose counter is ⌊i/2⌋. */
export function threefry(key: ArrayLike<number>, count: number): Int32Array {
  const out = new Int32Array(count);
  for (let i = 0; i < count; i += 2) {
    const [x, y] = threefryBlock(key, [i / 2, 0]);
    out[i] = x;
    if (i + 1 < count) out[i + 1] = y;
  }
  return out;
}
