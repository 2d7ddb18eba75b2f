import type { WasmLanes, Local } from "../wasm-lanes.js";

/** Instructions on sixteen bytes at a time. */
export class Bytes {
  private readonly w: WasmLanes;

  constructor(w: WasmLanes) {
    this.w = w;
  }

  constant(values: readonly number[]): Local {
    return this.w.constant(Int8Array.from(values));
  }

  /** The low byte of lane 0, sixteen times. */
  splat(a: Local): Local {
    return this.w.get(a).simd(0x1b, 0).simd(0x0f).keep();
  }

  op(name: "bitAnd" | "bitOr" | "bitXor" | "add" | "sub" | "equal", a: Local, b: Local): Local {
    const opcode = { bitAnd: 0x4e, bitOr: 0x50, bitXor: 0x51, add: 0x6e, sub: 0x71, equal: 0x23 }[name];
    return this.w.get(a).get(b).simd(opcode).keep();
  }

  /** Bits that come from a neighbour's byte are masked out: there is no shift of bytes below that. */
  shiftLeft(a: Local, by: number): Local {
    return this.op("bitAnd", this.w.get(a).i32Const(by).simd(0x8b).keep(), this.constant(new Array<number>(16).fill(0xff << by)));
  }

  shiftRight(a: Local, by: number, signed: boolean): Local {
    if (signed) return this.w.get(a).i32Const(by).simd(0x6c).keep();
    return this.op("bitAnd", this.w.get(a).i32Const(by).simd(0x8d).keep(), this.constant(new Array<number>(16).fill(0xff >> by)));
  }

  /** mask ? a : b, for each bit. */
  select(mask: Local, a: Local, b: Local): Local {
    return this.w.get(a).get(b).get(mask).simd(0x52).keep();
  }

  /** Bytes of a (numbers 0 … 15) and b (16 … 31). */
  shuffle(a: Local, b: Local, from: readonly number[]): Local {
    return this.w
      .get(a)
      .get(b)
      .simd(0x0d, ...from)
      .keep();
  }

  /** Entries of a table of sixteen bytes. Numbers are below 16, where the relaxed instruction is the strict one. */
  lookup(table: Local, numbers: Local, relaxed: boolean): Local {
    return this.w
      .get(table)
      .get(numbers)
      .simd(relaxed ? 0x100 : 0x0e)
      .keep();
  }

  /** Eight of the bytes as i16: the lower (0) or the upper (1) half. */
  toHalves(a: Local, half: number, signed: boolean): Local {
    return this.w
      .get(a)
      .simd((signed ? 0x87 : 0x89) + half)
      .keep();
  }

  /** Four of eight i16 as i32. */
  toLanes(a: Local, half: number, signed: boolean): Local {
    return this.w
      .get(a)
      .simd((signed ? 0xa7 : 0xa9) + half)
      .keep();
  }

  /** Four and four i32 as i16, which they fit. */
  narrowWords(a: Local, b: Local): Local {
    return this.w.get(a).get(b).simd(0x85).keep();
  }

  /** Eight and eight i16 as bytes, which they fit. */
  narrowHalves(a: Local, b: Local): Local {
    return this.w.get(a).get(b).simd(0x65).keep();
  }

  /** Each two as one. */
  pairwise(all: readonly Local[], how: "narrowWords" | "narrowHalves"): Local[] {
    return Array.from({ length: all.length / 2 }, (_, k) => this[how](all[2 * k]!, all[2 * k + 1]!));
  }

  /** a0·b0 + a1·b1, … of sixteen bytes as i16, which they must fit, added to `to` if that is given; b is 0 … 127. A relaxed instruction. */
  dot(a: Local, b: Local, to?: Local): Local {
    this.w.get(a).get(b).simd(0x112);
    if (to !== undefined) this.w.get(to).simd(0x8e);
    return this.w.keep();
  }

  /** a0·b0 + a1·b1, … of eight i16, added to `to` if that is given. */
  addDot(to: Local | undefined, a: Local, b: Local): Local {
    this.w.get(a).get(b).simd(0xba);
    if (to !== undefined) this.w.get(to).simd(0xae);
    return this.w.keep();
  }

  /** a0 b0 a1 b1 … of units of so many bytes: of the lower (0) or the upper (1) halves. */
  interleave(a: Local, b: Local, half: number, unit: number): Local {
    const from = Array.from({ length: 16 }, (_, byte) => {
      const at = Math.floor(byte / (2 * unit)) * unit + (byte % unit) + half * 8;
      return at + (Math.floor(byte / unit) % 2) * 16;
    });
    return this.shuffle(a, b, from);
  }
}
