/**
 * What formulas are written against: operations on lanes of 32 bits. There are two implementations, one that writes
 * WebAssembly SIMD and one that computes in JavaScript, so one formula gives the same bits on both.
 * `V` is a vector of f32 or i32 lanes (or masks, all bits or none); `D` is a vector of f64 lanes.
 */
export interface Lanes<V, D> {
  f32(value: number): V;
  i32(value: number): V;
  unary(op: UnaryLane, a: V): V;
  binary(op: BinaryLane, a: V, b: V): V;
  /** Shifts i32 lanes by a constant. */
  shift(op: ShiftLane, a: V, by: number): V;
  /** mask ? a : b, bit by bit. */
  select(mask: V, a: V, b: V): V;
  f64(value: number): D;
  widen(a: V, from: "f32" | "i32"): D;
  /** To f32 rounds, to i32 truncates and saturates. */
  narrow(a: D, to: "f32" | "i32"): V;
  unary64(op: "floor" | "trunc" | "nearest", a: D): D;
  binary64(op: "add" | "sub" | "mul" | "div", a: D, b: D): D;
}

export type UnaryLane = "abs" | "neg" | "sqrt" | "ceil" | "floor" | "nearest" | "iabs" | "ineg" | "not" | "truncate" | "convert";
export type BinaryLane =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "min"
  | "max"
  | "eq"
  | "ne"
  | "lt"
  | "gt"
  | "le"
  | IntegerLane
  | "and"
  | "or"
  | "xor";
type IntegerLane = "iadd" | "isub" | "imul" | "imin" | "imax" | "ieq" | "ine" | "ilt" | "igt" | "ile";
export type ShiftLane = "shl" | "shrS" | "shrU";

type F1 = (a: number) => number;
type F2 = (a: number, b: number) => number;

/** Which 32-bit reading operands and result have: f f32, i i32. */
type Kind = "f" | "i";

interface Op<F> {
  /** SIMD opcode (after the prefix 0xfd). */
  readonly code: number;
  readonly from: Kind;
  readonly to: Kind;
  readonly js: F;
}

const op = <F>(code: number, kinds: "ff" | "fi" | "ii" | "if", js: F): Op<F> => ({
  code,
  from: kinds[0] as Kind,
  to: kinds[1] as Kind,
  js,
});
const mask = (test: boolean): number => (test ? -1 : 0);

/** f64 to the nearest integer, ties to even. */
function nearestEven(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x;
  const shift = x < 0 || Object.is(x, -0) ? -(2 ** 52) : 2 ** 52;
  const r = x + shift - shift;
  return r === 0 && shift < 0 ? -0 : r;
}

/** f64 to i32 by truncation, saturating; NaN gives 0. */
export function saturate(x: number): number {
  return x !== x ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(x)));
}

export const UNARY_LANES: Readonly<Record<UnaryLane, Op<F1>>> = {
  abs: op<F1>(0xe0, "ff", Math.abs),
  neg: op<F1>(0xe1, "ff", (a) => -a),
  sqrt: op<F1>(0xe3, "ff", Math.sqrt),
  ceil: op<F1>(0x67, "ff", Math.ceil),
  floor: op<F1>(0x68, "ff", Math.floor),
  nearest: op<F1>(0x6a, "ff", nearestEven),
  iabs: op<F1>(0xa0, "ii", (a) => (a < 0 ? -a | 0 : a)),
  ineg: op<F1>(0xa1, "ii", (a) => -a | 0),
  not: op<F1>(0x4d, "ii", (a) => ~a),
  truncate: op<F1>(0xf8, "fi", saturate),
  convert: op<F1>(0xfa, "if", (a) => a),
};

export const BINARY_LANES: Readonly<Record<BinaryLane, Op<F2>>> = {
  add: op<F2>(0xe4, "ff", (a, b) => a + b),
  sub: op<F2>(0xe5, "ff", (a, b) => a - b),
  mul: op<F2>(0xe6, "ff", (a, b) => a * b),
  div: op<F2>(0xe7, "ff", (a, b) => a / b),
  min: op<F2>(0xe8, "ff", Math.min),
  max: op<F2>(0xe9, "ff", Math.max),
  eq: op<F2>(0x41, "fi", (a, b) => mask(a === b)),
  ne: op<F2>(0x42, "fi", (a, b) => mask(a !== b)),
  lt: op<F2>(0x43, "fi", (a, b) => mask(a < b)),
  gt: op<F2>(0x44, "fi", (a, b) => mask(a > b)),
  le: op<F2>(0x45, "fi", (a, b) => mask(a <= b)),
  iadd: op<F2>(0xae, "ii", (a, b) => (a + b) | 0),
  isub: op<F2>(0xb1, "ii", (a, b) => (a - b) | 0),
  imul: op<F2>(0xb5, "ii", Math.imul),
  imin: op<F2>(0xb6, "ii", Math.min),
  imax: op<F2>(0xb8, "ii", Math.max),
  ieq: op<F2>(0x37, "ii", (a, b) => mask(a === b)),
  ine: op<F2>(0x38, "ii", (a, b) => mask(a !== b)),
  ilt: op<F2>(0x39, "ii", (a, b) => mask(a < b)),
  igt: op<F2>(0x3b, "ii", (a, b) => mask(a > b)),
  ile: op<F2>(0x3d, "ii", (a, b) => mask(a <= b)),
  and: op<F2>(0x4e, "ii", (a, b) => a & b),
  or: op<F2>(0x50, "ii", (a, b) => a | b),
  xor: op<F2>(0x51, "ii", (a, b) => a ^ b),
};

export const SHIFT_LANES: Readonly<Record<ShiftLane, Op<F2>>> = {
  shl: op<F2>(0xab, "ii", (a, by) => a << by),
  shrS: op<F2>(0xac, "ii", (a, by) => a >> by),
  shrU: op<F2>(0xad, "ii", (a, by) => (a >>> by) | 0),
};

export const UNARY_64: Readonly<Record<"floor" | "trunc" | "nearest", Op<F1>>> = {
  floor: op<F1>(0x75, "ff", Math.floor),
  trunc: op<F1>(0x7a, "ff", Math.trunc),
  nearest: op<F1>(0x94, "ff", nearestEven),
};

export const BINARY_64: Readonly<Record<"add" | "sub" | "mul" | "div", Op<F2>>> = {
  add: op<F2>(0xf0, "ff", (a, b) => a + b),
  sub: op<F2>(0xf1, "ff", (a, b) => a - b),
  mul: op<F2>(0xf2, "ff", (a, b) => a * b),
  div: op<F2>(0xf3, "ff", (a, b) => a / b),
};
