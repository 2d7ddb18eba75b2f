import { type DType, type Instruction, isFloat, roundTo } from "@weft/tensor-core";
import { decodeLanes, encodeLanes } from "./formats.js";
import type { BinaryLane, Lanes, UnaryLane } from "./lanes.js";
import { erf, exp, log, pow, sinCos, tanh } from "./math.js";

type Computed = Exclude<Instruction, { op: "load" | "index" | "reduce" }>;

/** Mask to the register form of bool. */
const toBool = <V, D>(l: Lanes<V, D>, mask: V): V => l.shift("shrU", mask, 31);

const isZero = <V, D>(l: Lanes<V, D>, a: V, dtype: DType): V =>
  isFloat(dtype) ? l.binary("eq", a, l.f32(0)) : l.binary("ieq", a, l.i32(0));
const isTrue = <V, D>(l: Lanes<V, D>, a: V, dtype: DType): V =>
  isFloat(dtype) ? l.binary("ne", a, l.f32(0)) : l.binary("ine", a, l.i32(0));

/** The value of one instruction from those of its operands, on any lanes. `dtypes` are those of the program's instructions. */
export function computeLanes<V, D>(l: Lanes<V, D>, i: Computed, value: (index: number) => V, dtypes: readonly DType[]): V {
  switch (i.op) {
    case "const": {
      const rounded = roundTo(i.value, i.dtype);
      return isFloat(i.dtype) ? l.f32(rounded) : l.i32(rounded);
    }
    case "cast":
      return convert(l, value(i.a), dtypes[i.a]!, i.dtype);
    case "where":
      return l.select(isTrue(l, value(i.a), dtypes[i.a]!), value(i.b), value(i.c));
    default: {
      const from = dtypes[i.a]!;
      if ("b" in i) return isFloat(from) ? floatBinary(l, i.op, value(i.a), value(i.b)) : intBinary(l, i.op, value(i.a), value(i.b));
      return isFloat(from) ? floatUnary(l, i.op, value(i.a)) : intUnary(l, i.op, value(i.a));
    }
  }
}

/** Between registers. A float becomes an integer by truncation (saturating at the limits of i32), then wraps to the width of `to`. */
export function convert<V, D>(l: Lanes<V, D>, a: V, from: DType, to: DType): V {
  if (to === "bool") return from === "bool" ? a : toBool(l, isTrue(l, a, from));
  if (isFloat(to)) {
    const wide = isFloat(from) ? a : l.unary("convert", a);
    if (to === "f32" || to === from) return wide;
    return decodeLanes(l, encodeLanes(l, wide, to), to);
  }
  const whole = isFloat(from) ? l.unary("truncate", a) : a;
  if (to === "u8") return l.binary("and", whole, l.i32(0xff));
  return to === "i8" ? l.shift("shrS", l.shift("shl", whole, 24), 24) : whole;
}

const SAME_UNARY: Partial<Record<string, UnaryLane>> = {
  neg: "neg",
  abs: "abs",
  sqrt: "sqrt",
  floor: "floor",
  ceil: "ceil",
  round: "nearest",
};

function floatUnary<V, D>(l: Lanes<V, D>, op: string, x: V): V {
  const same = SAME_UNARY[op];
  if (same) return l.unary(same, x);
  switch (op) {
    case "exp":
      return exp(l, x);
    case "log":
      return log(l, x);
    case "tanh":
      return tanh(l, x);
    case "erf":
      return erf(l, x);
    case "sin":
    case "cos":
      return sinCos(l, x, op);
    case "rsqrt":
      return l.binary("div", l.f32(1), l.unary("sqrt", x));
    case "reciprocal":
      return l.binary("div", l.f32(1), x);
    case "not":
      return toBool(l, l.binary("eq", x, l.f32(0)));
    default: {
      // sign: ±1, and 0 and NaN as they are
      const one = l.binary("or", l.binary("and", x, l.i32(-0x80000000)), l.f32(1));
      return l.select(l.binary("gt", l.unary("abs", x), l.f32(0)), one, x);
    }
  }
}

function intUnary<V, D>(l: Lanes<V, D>, op: string, x: V): V {
  switch (op) {
    case "neg":
      return l.unary("ineg", x);
    case "abs":
      return l.unary("iabs", x);
    case "sign":
      return l.binary("isub", l.binary("ilt", x, l.i32(0)), l.binary("igt", x, l.i32(0)));
    case "not":
      return toBool(l, isZero(l, x, "i32"));
    case "floor":
    case "ceil":
    case "round":
      return x;
    default:
      return l.unary("truncate", floatUnary(l, op, l.unary("convert", x)));
  }
}

const FLOAT_BINARY: Partial<Record<string, BinaryLane>> = { add: "add", sub: "sub", mul: "mul", div: "div", max: "max", min: "min" };
const FLOAT_TESTS: Partial<Record<string, BinaryLane>> = { eq: "eq", ne: "ne", lt: "lt", le: "le" };
const INT_BINARY: Partial<Record<string, BinaryLane>> = { add: "iadd", sub: "isub", mul: "imul", max: "imax", min: "imin" };
const INT_TESTS: Partial<Record<string, BinaryLane>> = { eq: "ieq", ne: "ine", lt: "ilt", le: "ile" };

function floatBinary<V, D>(l: Lanes<V, D>, op: string, a: V, b: V): V {
  const [same, test] = [FLOAT_BINARY[op], FLOAT_TESTS[op]];
  if (same) return l.binary(same, a, b);
  if (test) return toBool(l, l.binary(test, a, b));
  if (op === "pow") return pow(l, a, b);
  if (op === "mod") return modulo(l, a, b, "f32");
  return logical(l, op, isTrue(l, a, "f32"), isTrue(l, b, "f32"));
}

function intBinary<V, D>(l: Lanes<V, D>, op: string, a: V, b: V): V {
  const [same, test] = [INT_BINARY[op], INT_TESTS[op]];
  if (same) return l.binary(same, a, b);
  if (test) return toBool(l, l.binary(test, a, b));
  if (op === "div" || op === "mod") {
    const result = op === "mod" ? modulo(l, a, b, "i32") : l.narrow(l.binary64("div", l.widen(a, "i32"), l.widen(b, "i32")), "i32");
    return l.select(isTrue(l, b, "i32"), result, l.i32(0));
  }
  if (op === "pow") return l.unary("truncate", pow(l, l.unary("convert", a), l.unary("convert", b)));
  return logical(l, op, isTrue(l, a, "i32"), isTrue(l, b, "i32"));
}

/** a - ⌊a/b⌋·b in f64. */
function modulo<V, D>(l: Lanes<V, D>, a: V, b: V, kind: "f32" | "i32"): V {
  const [x, y] = [l.widen(a, kind), l.widen(b, kind)];
  return l.narrow(l.binary64("sub", x, l.binary64("mul", l.unary64("floor", l.binary64("div", x, y)), y)), kind);
}

function logical<V, D>(l: Lanes<V, D>, op: string, a: V, b: V): V {
  return toBool(l, l.binary(op === "and" ? "and" : "or", a, b));
}
