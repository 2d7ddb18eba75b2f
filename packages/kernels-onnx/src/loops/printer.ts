import {
  halfOf,
  LANE_OPS,
  type LaneMachine,
  type LaneOp,
  type Lanes,
  lanesOf,
  SCALAR_LANES,
  type ShiftOp,
} from "@weft/tensor-core/program";
import { type Affine, constant, divided, multiples, rangeOf, scaled, sum } from "./affine.js";

/** A value of a program: what JavaScript calls it, and what is known of it when the loop is written. */
export interface Register {
  readonly code: string;
  readonly known?: number | boolean;
  /** Of an integer. */
  readonly affine?: Affine;
}

/** A program has an operation that loops are not written for. */
export class NoLoop extends Error {}

/** Operations as expressions, with the bits that `SCALAR_LANES` gives. */
const EXPRESSIONS: { readonly [op in LaneOp]?: (...operands: string[]) => string } = {
  add: (a, b) => `fround(${a} + ${b})`,
  sub: (a, b) => `fround(${a} - ${b})`,
  mul: (a, b) => `fround(${a} * ${b})`,
  div: (a, b) => `fround(${a} / ${b})`,
  min: (a, b) => `Math.min(${a}, ${b})`,
  max: (a, b) => `Math.max(${a}, ${b})`,
  neg: (a) => `-${a}`,
  abs: (a) => `Math.abs(${a})`,
  sqrt: (a) => `fround(Math.sqrt(${a}))`,
  floor: (a) => `Math.floor(${a})`,
  ceil: (a) => `Math.ceil(${a})`,
  trunc: (a) => `Math.trunc(${a})`,
  eq: (a, b) => `${a} === ${b}`,
  ne: (a, b) => `${a} !== ${b}`,
  lt: (a, b) => `${a} < ${b}`,
  le: (a, b) => `${a} <= ${b}`,
  isNaN: (a) => `${a} !== ${a}`,
  iadd: (a, b) => `(${a} + ${b}) | 0`,
  isub: (a, b) => `(${a} - ${b}) | 0`,
  imul: (a, b) => `Math.imul(${a}, ${b})`,
  idiv: (a, b) => `(${a} / ${b}) | 0`,
  imin: (a, b) => `Math.min(${a}, ${b})`,
  imax: (a, b) => `Math.max(${a}, ${b})`,
  iand: (a, b) => `${a} & ${b}`,
  ior: (a, b) => `${a} | ${b}`,
  ixor: (a, b) => `${a} ^ ${b}`,
  ineg: (a) => `-${a} | 0`,
  ieq: (a, b) => `${a} === ${b}`,
  ine: (a, b) => `${a} !== ${b}`,
  ilt: (a, b) => `${a} < ${b}`,
  ile: (a, b) => `${a} <= ${b}`,
  both: (a, b) => `${a} && ${b}`,
  either: (a, b) => `${a} || ${b}`,
  differ: (a, b) => `${a} !== ${b}`,
  not: (a) => `!${a}`,
  select: (m, a, b) => `${m} ? ${a} : ${b}`,
  iselect: (m, a, b) => `${m} ? ${a} : ${b}`,
  flag: (m) => `${m} ? 1 : 0`,
  bits: (a) => `(f32[0] = ${a}, i32[0])`,
  float: (a) => `(i32[0] = ${a}, f32[0])`,
  toFloat: (a) => `fround(${a})`,
  toInt: (a) => `Math.max(-2147483648, Math.min(2147483647, Math.trunc(${a}))) | 0`,
};

const SHIFTS: Readonly<Record<ShiftOp, string>> = { shl: "<<", shrS: ">>", shrU: ">>>" };

const literal = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));
const isI32 = (a: Affine): boolean => {
  const [least, most] = rangeOf(a);
  return least >= -(2 ** 31) && most < 2 ** 31;
};

const truth = (known: boolean): Register => ({ code: String(known), known });

/** Writes programs as statements of JavaScript. What is known of counters is computed when it is written: a number of a byte, which of its bits. */
export class Printer implements LaneMachine<Register> {
  readonly lanes: Lanes<Register, Register, Register> = lanesOf(this);
  readonly statements: string[] = [];
  /** Whether something is asked of a number of counters at each turn that would be known of it if fewer elements had the same code: what is left of it, whether it is less. */
  asks = false;
  private readonly names = new Map<string, string>();

  f32(value: number): Register {
    const known = Math.fround(value);
    return { code: literal(known), known };
  }

  i32(value: number): Register {
    return this.whole(constant(value | 0));
  }

  /** An integer of counters. */
  whole(affine: Affine): Register {
    if (affine.terms.length === 0) return { code: literal(affine.constant), known: affine.constant, affine };
    const variable = affine.terms.map(({ counter, factor }) => (factor === 1 ? counter.name : `${factor} * ${counter.name}`)).join(" + ");
    const base = affine.terms.length === 1 && affine.terms[0]!.factor === 1 ? variable : this.name(variable);
    return { code: affine.constant === 0 ? base : `(${base} + ${affine.constant})`, affine };
  }

  /** The value of an expression; the same one is computed once. */
  name(expression: string): string {
    let name = this.names.get(expression);
    if (name === undefined) {
      this.names.set(expression, (name = `v${this.names.size}`));
      this.statements.push(`const ${name} = ${expression};`);
    }
    return name;
  }

  op(name: LaneOp, operands: readonly Register[]): Register {
    const known = operands.map((r) => r.known);
    if (known.every((value) => value !== undefined)) return this.constant(name, known);
    const [a, b, c] = operands as [Register, Register, Register];
    if (name === "half") return halfOf(this.lanes, a);
    if ((name === "select" || name === "iselect") && a.known !== undefined) return a.known ? b : c;
    if (name === "ishl" && typeof b.known === "number" && b.known >= 0 && b.known < 32) return this.shift("shl", a, b.known);
    if (name === "ishr" && typeof b.known === "number" && b.known >= 0 && b.known < 32) return this.shift("shrS", a, b.known);
    const whole = this.wholeOp(name, a, b);
    if (whole) return whole;
    if (a.affine && b?.affine) this.asks = true;
    const expression = EXPRESSIONS[name];
    if (!expression) throw new NoLoop(name);
    return { code: this.name(expression(...operands.map((r) => r.code))) };
  }

  shift(name: ShiftOp, a: Register, by: number): Register {
    if (typeof a.known === "number") return this.i32(SCALAR_LANES[name](a.known, by));
    if (a.affine) {
      if (name === "shl") {
        const product = scaled(a.affine, 2 ** by);
        if (isI32(product)) return this.whole(product);
      } else if (rangeOf(a.affine)[0] >= 0) return this.divide(a, 2 ** by).quotient;
    }
    const shifted = `${a.code} ${SHIFTS[name]} ${by}`;
    return { code: this.name(name === "shrU" ? `(${shifted}) | 0` : shifted) };
  }

  /** ⌊a / n⌋ and what is left, of a number that is not negative. */
  divide(a: Register, n: number): { readonly quotient: Register; readonly rest: Register } {
    const parts = a.affine && divided(a.affine, n);
    if (parts) return { quotient: this.whole(parts.quotient), rest: this.whole(parts.rest) };
    const most = a.affine ? rangeOf(a.affine)[1] : 2 ** 31 - 1;
    return {
      quotient: this.counted(`(${a.code} / ${n}) | 0`, Math.floor(most / n) + 1),
      rest: this.counted(`${a.code} % ${n}`, n),
    };
  }

  /** An integer from 0 to below `length`. */
  private counted(expression: string, length: number): Register {
    this.asks = true;
    return this.whole({ constant: 0, terms: [{ counter: { name: this.name(expression), length }, factor: 1 }] });
  }

  private constant(name: LaneOp, operands: readonly (number | boolean)[]): Register {
    const value = (SCALAR_LANES[name] as (...values: readonly (number | boolean)[]) => number | boolean)(...operands);
    if (typeof value === "boolean") return { code: String(value), known: value };
    return LANE_OPS[name].endsWith("i") ? this.i32(value) : this.f32(value);
  }

  /** What stays a number of counters, or is known for all that they can be. */
  private wholeOp(name: LaneOp, a: Register, b: Register | undefined): Register | undefined {
    const [x, y] = [a.affine, b?.affine];
    if (!x || !y) return undefined;
    const whole = (affine: Affine): Register | undefined => (isI32(affine) ? this.whole(affine) : undefined);
    const difference = sum(x, scaled(y, -1));
    const [least, most] = rangeOf(difference);
    switch (name) {
      case "iadd":
        return whole(sum(x, y));
      case "isub":
        return whole(difference);
      case "imul":
        return x.terms.length === 0 ? whole(scaled(y, x.constant)) : y.terms.length === 0 ? whole(scaled(x, y.constant)) : undefined;
      case "ilt":
        return most < 0 ? truth(true) : least >= 0 ? truth(false) : undefined;
      case "ile":
        return most <= 0 ? truth(true) : least > 0 ? truth(false) : undefined;
      case "ieq":
      case "ine":
        return most < 0 || least > 0 ? truth(name === "ine") : undefined;
      case "iand":
        return this.masked(x, y) ?? this.masked(y, x);
      default:
        return undefined;
    }
  }

  /** The lower bits of a number: those below the last bit that any counter reaches are known. */
  private masked(x: Affine, mask: Affine): Register | undefined {
    const n = mask.constant + 1;
    if (mask.terms.length > 0 || n < 2 || (n & (n - 1)) !== 0 || rangeOf(x)[0] < 0) return undefined;
    const parts = divided(x, n);
    if (parts) return this.whole(parts.rest);
    let step = n;
    while (x.terms.some(({ factor }) => factor % step !== 0)) step /= 2;
    if (step === 1) return undefined;
    const { quotient, rest } = multiples(x, step);
    const upper = this.counted(`${this.whole(quotient).code} & ${n / step - 1}`, n / step);
    return this.whole(sum(scaled(upper.affine!, step), rest));
  }
}
