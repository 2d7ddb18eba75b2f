/**
 * The operations that formulas of elementwise functions are written with, each with the kinds of its operands and, last, of its result:
 * `f` f32, `i` i32, `m` a condition. Sums, differences, products and whole-number operations are exact to the last bit everywhere, so one
 * formula gives the same bits wherever it is printed; `div` and `sqrt` are rounded correctly on the CPU, on a GPU to 2.5 places.
 * A GPU may flush subnormal numbers to zero, so formulas must not need them on the way.
 */
export const LANE_OPS = {
  add: "fff",
  sub: "fff",
  mul: "fff",
  div: "fff",
  /** NaN on either side wins. */
  min: "fff",
  max: "fff",
  neg: "ff",
  abs: "ff",
  sqrt: "ff",
  floor: "ff",
  ceil: "ff",
  trunc: "ff",
  /** To the nearest integer, ties to even. */
  nearest: "ff",
  eq: "ffm",
  /** True if one is NaN. */
  ne: "ffm",
  lt: "ffm",
  le: "ffm",
  isNaN: "fm",
  iadd: "iii",
  isub: "iii",
  imul: "iii",
  /** Toward zero; wraps. What division by 0 gives is not defined. */
  idiv: "iii",
  imin: "iii",
  imax: "iii",
  iand: "iii",
  ior: "iii",
  ixor: "iii",
  /** a · 2^b, wrapping; 0 for b outside 0 … 31. */
  ishl: "iii",
  /** ⌊a / 2^b⌋; the sign, 0 or -1, for b outside 0 … 31. */
  ishr: "iii",
  ineg: "ii",
  iabs: "ii",
  ieq: "iim",
  ine: "iim",
  ilt: "iim",
  ile: "iim",
  both: "mmm",
  either: "mmm",
  /** Exactly one of the two. */
  differ: "mmm",
  not: "mm",
  /** condition ? a : b */
  select: "mfff",
  iselect: "miii",
  /** 1 where the condition holds, else 0. */
  flag: "mi",
  /** The same 32 bits. */
  bits: "fi",
  float: "if",
  /** Truncated; what i32 does not hold becomes its nearest limit, NaN 0. */
  toInt: "fi",
  toFloat: "if",
  /** The f32 of the value that the lower 16 bits have as f16. */
  half: "if",
} as const;

/** Shifts of i32 by a constant: left; right with copies of the sign; right with zeros. */
export const SHIFT_OPS = ["shl", "shrS", "shrU"] as const;

/** Names of the operations on lanes. */
export type LaneOp = keyof typeof LANE_OPS;
/** Names of the shifts of lanes. */
export type ShiftOp = (typeof SHIFT_OPS)[number];

type Kind<C, F, I, M> = C extends "f" ? F : C extends "i" ? I : M;
type Method<S, F, I, M> = S extends `${infer A}${infer B}${infer C}${infer D}`
  ? D extends ""
    ? (a: Kind<A, F, I, M>, b: Kind<B, F, I, M>) => Kind<C, F, I, M>
    : (a: Kind<A, F, I, M>, b: Kind<B, F, I, M>, c: Kind<C, F, I, M>) => Kind<D, F, I, M>
  : S extends `${infer A}${infer B}`
    ? (a: Kind<A, F, I, M>) => Kind<B, F, I, M>
    : never;

/**
 * What a formula computes with: `F` stands for f32 numbers, `I` for i32 numbers, `M` for conditions, one or several in parallel. A backend
 * makes them names of registers or of variables and writes code; `SCALAR_LANES` makes them numbers and computes.
 */
export type Lanes<F, I, M> = { readonly [K in LaneOp]: Method<(typeof LANE_OPS)[K], F, I, M> } & {
  readonly [K in ShiftOp]: (a: I, by: number) => I;
} & { readonly f32: (value: number) => F; readonly i32: (value: number) => I };

/** What writes or computes single operations, on operands of one representation `V` for all three kinds. */
export interface LaneMachine<V> {
  f32(value: number): V;
  i32(value: number): V;
  op(name: LaneOp, operands: readonly V[]): V;
  shift(name: ShiftOp, a: V, by: number): V;
}

/** Lanes whose operations a machine does. */
export function lanesOf<V>(machine: LaneMachine<V>): Lanes<V, V, V> {
  const ops = Object.keys(LANE_OPS).map((name) => [name, (...operands: V[]) => machine.op(name as LaneOp, operands)]);
  const shifts = SHIFT_OPS.map((name) => [name, (a: V, by: number) => machine.shift(name, a, by)]);
  return {
    ...Object.fromEntries([...ops, ...shifts]),
    f32: (value: number) => machine.f32(value),
    i32: (value: number) => machine.i32(value),
  } as Lanes<V, V, V>;
}
