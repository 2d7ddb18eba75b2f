const U32 = 0xffffffff;
const MASK_128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** NumPy's `SeedSequence(seed).generate_state(8)`. @see O'Neill's seed_seq_fe, as in NumPy `bit_generator.pyx` */
function seedWords(seed: number): Uint32Array {
  const entropy = seed === 0 ? [0] : [];
  for (let rest = seed; rest > 0; rest = Math.floor(rest / 2 ** 32)) entropy.push(rest % 2 ** 32);
  let constant = 0x43b0d7e5;
  const hashed = (value: number): number => {
    let v = value ^ constant;
    constant = Math.imul(constant, 0x931e8875);
    v = Math.imul(v, constant);
    return v ^ (v >>> 16);
  };
  const mixed = (x: number, y: number): number => {
    const v = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return v ^ (v >>> 16);
  };
  const pool = Int32Array.from({ length: 4 }, (_, i) => hashed(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++) for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to]!, hashed(pool[from]!));
  for (const value of entropy.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to]!, hashed(value));
  constant = 0x8b51f9dd;
  return Uint32Array.from({ length: 8 }, (_, i) => {
    let v = pool[i % 4]! ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    v = Math.imul(v, constant);
    return (v ^ (v >>> 16)) >>> 0;
  });
}

/** `numpy.random.default_rng(seed)`: PCG64 with the draws that NumPy 2 makes of it, number for number. */
export class NumpyGenerator {
  private state: bigint;
  private readonly increment: bigint;
  /** The upper half of the last 64 bits, which the next draw of 32 takes. */
  private half: number | undefined;

  /** @param seed an integer from 0 to 2^53 - 1 */
  constructor(seed: number) {
    const words = seedWords(seed);
    const wide = (at: number): bigint => [1, 0, 3, 2].reduce((sum, i) => (sum << 32n) | BigInt(words[at + i]!), 0n);
    this.increment = ((wide(4) << 1n) | 1n) & MASK_128;
    this.state = ((this.increment + wide(0)) * MULTIPLIER + this.increment) & MASK_128;
  }

  /** 32 random bits as an unsigned integer. */
  nextUint32(): number {
    const { half } = this;
    if (half !== undefined) {
      this.half = undefined;
      return half;
    }
    this.state = (this.state * MULTIPLIER + this.increment) & MASK_128;
    const folded = BigInt.asUintN(64, this.state ^ (this.state >> 64n));
    const turn = this.state >> 122n;
    const bits = BigInt.asUintN(64, (folded >> turn) | (folded << (64n - turn)));
    this.half = Number(bits >> 32n);
    return Number(bits & 0xffffffffn);
  }

  /** An integer from 0 to `last`, which is at most 2^32 - 2: Lemire's multiplication, without bias. */
  private below(last: number): number {
    if (last === 0) return 0;
    const range = last + 1;
    const threshold = (U32 - last) % range;
    for (;;) {
      // The 64-bit product in halves of the factor, all exact in f64.
      const bits = this.nextUint32();
      const low = (bits % 65536) * range;
      const upper = Math.floor(bits / 65536) * range + Math.floor(low / 65536);
      if ((upper % 65536) * 65536 + (low % 65536) >= threshold) return Math.floor(upper / 65536);
    }
  }

  /** `rng.shuffle(values)`, in place. It draws otherwise than the rest of NumPy's generator: by its older rule, bits under a mask until they are low enough. */
  shuffle(values: Int32Array): void {
    exchange(values, 1, (last) => {
      const mask = 2 ** (32 - Math.clz32(last)) - 1;
      for (;;) {
        const value = (this.nextUint32() & mask) >>> 0;
        if (value <= last) return value;
      }
    });
  }

  /** `rng.choice(count, size, replace=False)`: different numbers below `count`. */
  choice(count: number, size: number): Int32Array {
    const below = (last: number): number => this.below(last);
    if (count > 10000 && size > Math.floor(count / 50)) {
      const all = Int32Array.from({ length: count }, (_, i) => i);
      exchange(all, Math.max(count - size, 1), below);
      return all.slice(count - size);
    }
    // Floyd's.
    const seen = new Set<number>();
    for (let j = count - size; j < count; j++) {
      const value = this.below(j);
      seen.add(seen.has(value) ? j : value);
    }
    const chosen = Int32Array.from(seen);
    exchange(chosen, 1, below);
    return chosen;
  }
}

/** Fisher and Yates's shuffle from the end down to `first`. @param below draws a number from 0 to the given one */
function exchange(values: Int32Array, first: number, below: (last: number) => number): void {
  for (let i = values.length - 1; i >= first; i--) {
    const j = below(i);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
}
