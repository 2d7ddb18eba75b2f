import { type DType, isFloat } from "../dtype.js";
import type { BinaryOp, ReduceOp, UnaryOp } from "../plan/plan.js";

/** f64 error function by its series (|x| < 3) and continued fraction; relative error below 1e-14. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a < 6)) return a >= 6 ? Math.sign(x) : NaN;
  if (a < 3) {
    let term = a;
    let total = a;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * total; n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest === 0.5) return low % 2 === 0 ? low : low + 1;
  return rest < 0.5 ? low : low + 1;
}

const UNARY: Record<UnaryOp, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  not: (x) => (x !== 0 ? 0 : 1),
};

/** NaN wins, as in torch. */
const larger = (a: number, b: number): number => (a !== a || b !== b ? NaN : a > b ? a : b);
const smaller = (a: number, b: number): number => (a !== a || b !== b ? NaN : a < b ? a : b);

const BINARY: Record<BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: Math.pow,
  mod: (a, b) => a - Math.floor(a / b) * b,
  max: larger,
  min: smaller,
  eq: (a, b) => (a === b ? 1 : 0),
  ne: (a, b) => (a !== b ? 1 : 0),
  lt: (a, b) => (a < b ? 1 : 0),
  le: (a, b) => (a <= b ? 1 : 0),
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
};

/** The f64 function of one unary instruction; integer results are left to the store to wrap. */
export function unaryFunction(op: UnaryOp): (x: number) => number {
  return UNARY[op];
}

/** The f64 function of one binary instruction on operands of `dtype`. i32 products are exact (Math.imul); i32 division by 0 gives 0. */
export function binaryFunction(op: BinaryOp, dtype: DType): (a: number, b: number) => number {
  if (isFloat(dtype)) return BINARY[op];
  if (op === "mul") return Math.imul;
  if (op === "div") return (a, b) => (b === 0 ? 0 : Math.trunc(a / b));
  if (op === "mod") return (a, b) => (b === 0 ? 0 : a - Math.floor(a / b) * b);
  return BINARY[op];
}

/** Start value and step of a reduction. */
export const REDUCTIONS: Record<ReduceOp, { readonly start: number; readonly step: (a: number, b: number) => number }> = {
  sum: { start: 0, step: (a, b) => a + b },
  prod: { start: 1, step: (a, b) => a * b },
  max: { start: -Infinity, step: larger },
  min: { start: Infinity, step: smaller },
};
