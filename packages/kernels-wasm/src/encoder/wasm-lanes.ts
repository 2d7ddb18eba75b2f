import { halfOf, type LaneMachine, type LaneOp, type Lanes, lanesOf, type ShiftOp } from "@weft/tensor-core/program";
import { Writer, wasmModule } from "./writer.js";

export const V128 = 0x7b;
export const I32 = 0x7f;

/** A local that holds a vector. */
export type Local = number;
/** Four f64 in two locals. */
export type Pair = readonly [low: Local, high: Local];

/** SIMD opcodes (after the prefix 0xfd) of the operations that are one instruction. */
const OPCODES: Partial<Record<LaneOp, number>> = {
  add: 0xe4,
  sub: 0xe5,
  mul: 0xe6,
  div: 0xe7,
  min: 0xe8,
  max: 0xe9,
  neg: 0xe1,
  abs: 0xe0,
  sqrt: 0xe3,
  floor: 0x68,
  ceil: 0x67,
  trunc: 0x69,
  nearest: 0x6a,
  eq: 0x41,
  ne: 0x42,
  lt: 0x43,
  le: 0x45,
  iadd: 0xae,
  isub: 0xb1,
  imul: 0xb5,
  imin: 0xb6,
  imax: 0xb8,
  iand: 0x4e,
  ior: 0x50,
  ixor: 0x51,
  ineg: 0xa1,
  iabs: 0xa0,
  ieq: 0x37,
  ine: 0x38,
  ilt: 0x39,
  ile: 0x3d,
  both: 0x4e,
  either: 0x50,
  differ: 0x51,
  not: 0x4d,
  toInt: 0xf8,
  toFloat: 0xfa,
};
const SHIFTS: Record<ShiftOp, number> = { shl: 0xab, shrS: 0xac, shrU: 0xad };
const [BITSELECT, AND] = [0x52, 0x4e];
const [FLOOR_64, TO_INT_64] = [0x75, 0xfc];
const WIDE = { add: 0xf0, mul: 0xf2, div: 0xf3 };

/** Writes lane operations as WebAssembly. Every result gets a local of its own; constants are set once, before the loops. */
export class WasmLanes implements LaneMachine<Local> {
  readonly lanes: Lanes<Local, Local, Local> = lanesOf<Local>(this);
  /** Code that runs once. */
  readonly prologue: Writer = new Writer();
  readonly code: Writer = new Writer();
  private readonly parameters: number;
  private readonly types: number[] = [];
  private readonly free = new Map<number, Local[]>();
  private readonly taken: [Local, number][] = [];
  private readonly constants = new Map<string, Local>();
  private readonly whole = new Map<Local, number>();

  /** @param parameters those of the function, which come before all locals */
  constructor(parameters: number) {
    this.parameters = parameters;
  }

  local(type: number): Local {
    const local = this.free.get(type)?.pop() ?? this.parameters + this.types.push(type) - 1;
    this.taken.push([local, type]);
    return local;
  }

  /** Writes code whose locals nobody reads behind it: other code gets them again, as compilers take long over many. */
  scoped(write: () => void): void {
    const first = this.taken.length;
    write();
    for (const [local, type] of this.taken.splice(first)) {
      const free = this.free.get(type) ?? [];
      this.free.set(type, free);
      free.push(local);
    }
  }

  /** The module of a function `run` with this code. */
  module(): Uint8Array<ArrayBuffer> {
    const code = new Writer().append(this.prologue).append(this.code);
    return wasmModule(
      this.types.map((type) => [1, type]),
      code,
      this.parameters,
    );
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

  /** A SIMD load or store, of any alignment, so many bytes behind the address on the stack. */
  memory(opcode: number, offset: number): this {
    this.simd(opcode, 0).code.unsigned(offset);
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

  constant(values: Float32Array | Float64Array | Int32Array | Int8Array): Local {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const key = bytes.join();
    let local = this.constants.get(key);
    if (local === undefined) {
      local = this.parameters + this.types.push(V128) - 1;
      this.prologue
        .raw(0xfd, 0x0c, ...bytes)
        .raw(0x21)
        .unsigned(local);
      this.constants.set(key, local);
    }
    return local;
  }

  f32(value: number): Local {
    return this.constant(new Float32Array(4).fill(value));
  }

  i32(value: number): Local {
    const local = this.constant(new Int32Array(4).fill(value));
    this.whole.set(local, value);
    return local;
  }

  op(name: LaneOp, operands: readonly Local[]): Local {
    const [a, b, c] = operands as [Local, Local, Local];
    const opcode = OPCODES[name];
    if (opcode !== undefined) {
      operands.forEach((local) => this.get(local));
      return this.simd(opcode).keep();
    }
    switch (name) {
      case "select":
      case "iselect":
        return c === this.i32(0) ? this.get(a).get(b).simd(AND).keep() : this.get(b).get(c).get(a).simd(BITSELECT).keep();
      case "isNaN":
        return this.op("ne", [a, a]);
      case "flag":
        return this.shift("shrU", a, 31);
      case "half":
        return halfOf(this.lanes, a);
      case "ishl":
      case "ishr":
        return this.shiftEach(name, a, b);
      case "idiv":
        return this.wholeQuotient(a, b);
      default: // bits, float
        return a;
    }
  }

  shift(name: ShiftOp, a: Local, by: number): Local {
    return this.get(a).i32Const(by).simd(SHIFTS[name]).keep();
  }

  /** By a count below 32 that is known when it runs, the same for all lanes. */
  shiftBy(name: ShiftOp, a: Local, by: Local): Local {
    return this.get(a).get(by).simd(SHIFTS[name]).keep();
  }

  f64(value: number): Local {
    return this.constant(new Float64Array(2).fill(value));
  }

  widen(a: Local, from: "f32" | "i32"): Pair {
    const code = from === "f32" ? 0x5f : 0xfe;
    const high = this.shuffle(a, a, [2, 3, 2, 3]);
    return [this.get(a).simd(code).keep(), this.get(high).simd(code).keep()];
  }

  /** On two f64. */
  wide(op: keyof typeof WIDE, a: Local, b: Local): Local {
    return this.get(a).get(b).simd(WIDE[op]).keep();
  }

  /** By a constant in one instruction. SIMD shifts all lanes alike, so by other counts as products with powers of two. */
  private shiftEach(name: "ishl" | "ishr", a: Local, by: Local): Local {
    const l = this.lanes;
    const count = this.whole.get(by);
    if (count !== undefined) {
      const inside = count >= 0 && count < 32;
      if (name === "ishr") return l.shrS(a, inside ? count : 31);
      return inside ? l.shl(a, count) : l.i32(0);
    }
    const inside = l.ieq(l.shrU(by, 5), l.i32(0));
    const power = (k: Local): Local => l.shl(l.iadd(k, l.i32(127)), 23);
    if (name === "ishl") {
      // In two steps, as 2^31 is no i32.
      const half = l.shrU(by, 1);
      const product = l.imul(l.imul(a, l.toInt(power(half))), l.toInt(power(l.isub(by, half))));
      return l.iselect(inside, product, l.i32(0));
    }
    const [x, factor] = [this.widen(a, "i32"), this.widen(power(l.ineg(l.iselect(inside, by, l.i32(31)))), "f32")];
    const part = (k: 0 | 1): Local =>
      this.get(this.wide("mul", x[k], factor[k]))
        .simd(FLOOR_64)
        .simd(TO_INT_64)
        .keep();
    return this.shuffle(part(0), part(1), [0, 1, 4, 5]);
  }

  /** There is no division of i32 lanes; f64 holds every quotient, and the last bits of its sum with 1.5·2^52 are those of the whole number. */
  private wholeQuotient(a: Local, b: Local): Local {
    const [x, y] = [this.widen(a, "i32"), this.widen(b, "i32")];
    const half = (k: 0 | 1): Local => {
      const whole = this.get(this.wide("div", x[k], y[k]))
        .simd(0x7a)
        .keep();
      return this.wide("add", whole, this.f64(1.5 * 2 ** 52));
    };
    return this.shuffle(half(0), half(1), [0, 2, 4, 6]);
  }
}
