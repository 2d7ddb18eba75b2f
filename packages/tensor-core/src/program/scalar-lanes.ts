import type { Lanes } from "./lanes.js";
import { halfOf } from "./small-floats.js";

const f32 = new Float32Array(1);
const i32 = new Int32Array(f32.buffer);
const { fround } = Math;

/** f64 to the nearest integer, ties to even. */
function nearestEven(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x;
  const shift = x < 0 || Object.is(x, -0) ? -(2 ** 52) : 2 ** 52;
  const r = x + shift - shift;
  return r === 0 && shift < 0 ? -0 : r;
}

/** Lanes on plain numbers: one element at a time, with the bits that WebAssembly gives. */
export const SCALAR_LANES: Lanes<number, number, boolean> = {
  f32: fround,
  i32: (value) => value | 0,
  add: (a, b) => fround(a + b),
  sub: (a, b) => fround(a - b),
  mul: (a, b) => fround(a * b),
  div: (a, b) => fround(a / b),
  min: Math.min,
  max: Math.max,
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: (a) => fround(Math.sqrt(a)),
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest: nearestEven,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  isNaN: (a) => a !== a,
  iadd: (a, b) => (a + b) | 0,
  isub: (a, b) => (a - b) | 0,
  imul: Math.imul,
  idiv: (a, b) => (a / b) | 0,
  imin: Math.min,
  imax: Math.max,
  iand: (a, b) => a & b,
  ior: (a, b) => a | b,
  ixor: (a, b) => a ^ b,
  ishl: (a, b) => (b < 0 || b > 31 ? 0 : a << b),
  ishr: (a, b) => a >> (b < 0 || b > 31 ? 31 : b),
  ineg: (a) => -a | 0,
  iabs: (a) => (a < 0 ? -a | 0 : a),
  ieq: (a, b) => a === b,
  ine: (a, b) => a !== b,
  ilt: (a, b) => a < b,
  ile: (a, b) => a <= b,
  both: (a, b) => a && b,
  either: (a, b) => a || b,
  differ: (a, b) => a !== b,
  not: (a) => !a,
  select: (m, a, b) => (m ? a : b),
  iselect: (m, a, b) => (m ? a : b),
  flag: (m) => (m ? 1 : 0),
  bits(a) {
    f32[0] = a;
    return i32[0]!;
  },
  float(a) {
    i32[0] = a;
    return f32[0]!;
  },
  toInt: (a) => (a !== a ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(a)))),
  toFloat: fround,
  half: (a) => halfOf(SCALAR_LANES, a),
  shl: (a, by) => a << by,
  shrS: (a, by) => a >> by,
  shrU: (a, by) => (a >>> by) | 0,
};
