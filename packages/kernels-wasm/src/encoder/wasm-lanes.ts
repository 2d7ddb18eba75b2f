import { BINARY_64, BINARY_LANES, type Lanes, SHIFT_LANES, UNARY_64, UNARY_LANES } from "./lanes.js";
import { Writer } from "./writer.js";

export const V128 = 0x7b;
export const I32 = 0x7f;

/** A local that holds a vector. */
export type Local = number;
export type Pair = readonly [low: Local, high: Local];

/** Writes lane operations as WebAssembly. Every result gets a local of its own; constants are set once, before the loops. */
export class WasmLanes implements Lanes<Local, Pair> {
  /** Code that runs once. */
  readonly prologue: Writer = new Writer();
  readonly code: Writer = new Writer();
  private readonly types: number[] = [];
  private readonly constants = new Map<string, Local>();

  local(type: number): Local {
    return this.types.push(type) + 2; // after the three parameters
  }

  /** Local declarations in the form that `wasmModule` takes. */
  locals(): [number, number][] {
    return this.types.map((type) => [1, type]);
  }

  get(local: Local): this {
    this.code.raw(0x20).unsigned(local);
    return this;
  }

  set(local: Local): Local {
    this.code.raw(0x21).unsigned(local);
    return local;
  }

  i32Const(value: number): this {
    this.code.raw(0x41).signed(value);
    return this;
  }

  simd(opcode: number, ...immediates: number[]): this {
    this.code
      .raw(0xfd)
      .unsigned(opcode)
      .raw(...immediates);
    return this;
  }

  /** Stores the vector on the stack in a new local. */
  keep(): Local {
    return this.set(this.local(V128));
  }

  shuffle(a: Local, b: Local, lanes: readonly number[]): Local {
    this.get(a)
      .get(b)
      .simd(0x0d, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)));
    return this.keep();
  }

  constant(bytes: Uint8Array): Local {
    const key = bytes.join();
    let local = this.constants.get(key);
    if (local === undefined) {
      local = this.local(V128);
      this.prologue
        .raw(0xfd, 0x0c, ...bytes)
        .raw(0x21)
        .unsigned(local);
      this.constants.set(key, local);
    }
    return local;
  }

  f32(value: number): Local {
    return this.constant(new Uint8Array(Float32Array.of(value, value, value, value).buffer));
  }

  i32(value: number): Local {
    return this.constant(new Uint8Array(Int32Array.of(value, value, value, value).buffer));
  }

  unary(op: keyof typeof UNARY_LANES, a: Local): Local {
    return this.get(a).simd(UNARY_LANES[op].code).keep();
  }

  binary(op: keyof typeof BINARY_LANES, a: Local, b: Local): Local {
    return this.get(a).get(b).simd(BINARY_LANES[op].code).keep();
  }

  shift(op: keyof typeof SHIFT_LANES, a: Local, by: number): Local {
    return this.get(a).i32Const(by).simd(SHIFT_LANES[op].code).keep();
  }

  select(mask: Local, a: Local, b: Local): Local {
    return this.get(a).get(b).get(mask).simd(0x52).keep();
  }

  f64(value: number): Pair {
    const local = this.constant(new Uint8Array(Float64Array.of(value, value).buffer));
    return [local, local];
  }

  widen(a: Local, from: "f32" | "i32"): Pair {
    const code = from === "f32" ? 0x5f : 0xfe;
    const high = this.shuffle(a, a, [2, 3, 2, 3]);
    return [this.get(a).simd(code).keep(), this.get(high).simd(code).keep()];
  }

  narrow([low, high]: Pair, to: "f32" | "i32"): Local {
    const code = to === "f32" ? 0x5e : 0xfc;
    return this.shuffle(this.get(low).simd(code).keep(), this.get(high).simd(code).keep(), [0, 1, 4, 5]);
  }

  unary64(op: keyof typeof UNARY_64, a: Pair): Pair {
    const one = (x: Local): Local => this.get(x).simd(UNARY_64[op].code).keep();
    return [one(a[0]), one(a[1])];
  }

  binary64(op: keyof typeof BINARY_64, a: Pair, b: Pair): Pair {
    const one = (x: Local, y: Local): Local => this.get(x).get(y).simd(BINARY_64[op].code).keep();
    return [one(a[0], b[0]), one(a[1], b[1])];
  }
}
