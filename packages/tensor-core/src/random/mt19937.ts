const SIZE = 624;
const SHIFT = 397;

/**
 * The Mersenne Twister MT19937 in the state that `torch.manual_seed(seed)` gives torch's CPU generator.
 * torch takes 64-bit seeds, but this engine uses their low 32 bits only.
 *
 * @see Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998)
 */
export class TorchGenerator {
  private readonly state = new Uint32Array(SIZE);
  private next = SIZE;
  /** Second value of the last Box–Muller pair of `torchNormal` with fewer than 16 elements; torch keeps it as well. */
  spareNormal: number | undefined;

  /** @param seed any integer, as `torch.manual_seed` takes it; a bigint where 53 bits are too few */
  constructor(seed: number | bigint) {
    const { state } = this;
    state[0] = Number(BigInt.asUintN(32, BigInt(seed)));
    for (let i = 1; i < SIZE; i++) {
      const before = state[i - 1]!;
      state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** 32 random bits as an unsigned integer. */
  nextUint32(): number {
    if (this.next === SIZE) this.twist();
    let y = this.state[this.next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform in [0, 1) from the low 53 bits of a 64-bit draw, high word first: torch's `double` distribution. */
  nextDouble(): number {
    const high = this.nextUint32() & 0x1fffff;
    return (high * 2 ** 32 + this.nextUint32()) * 2 ** -53;
  }

  private twist(): void {
    const { state } = this;
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      state[i] = state[(i + SHIFT) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}

/** A generator in the state after `torch.manual_seed(seed)`. */
export const torchGenerator = (seed: number | bigint): TorchGenerator => new TorchGenerator(seed);
