import type { Lanes } from "./lanes.js";

/* What an elementwise primitive computes: `float` of f32 registers, `integer` of i32 registers (integers and bool). */

export interface UnaryLanes {
  readonly float: <F, I, M>(l: Lanes<F, I, M>, x: F) => F;
  /** By way of f32 if not given, truncated. */
  readonly integer?: <F, I, M>(l: Lanes<F, I, M>, x: I) => I;
}

export interface BinaryLanes {
  readonly float: <F, I, M>(l: Lanes<F, I, M>, a: F, b: F) => F;
  readonly integer: <F, I, M>(l: Lanes<F, I, M>, a: I, b: I) => I;
}

/** Of integers alone. */
export interface IntegerLanes {
  readonly integer: <F, I, M>(l: Lanes<F, I, M>, a: I, b: I) => I;
}

/** Gives a bool. */
export interface TestLanes {
  readonly test: true;
  readonly float: <F, I, M>(l: Lanes<F, I, M>, a: F, b: F) => M;
  readonly integer: <F, I, M>(l: Lanes<F, I, M>, a: I, b: I) => M;
}

/** Any of them, on lanes whose operands are all of one representation. */
export interface AnyLanes {
  readonly test?: true;
  readonly float?: <V>(l: Lanes<V, V, V>, ...operands: V[]) => V;
  readonly integer?: <V>(l: Lanes<V, V, V>, ...operands: V[]) => V;
}

/** A float is true unless it is ±0; NaN is true. */
export const isTrue = <F, I, M>(l: Lanes<F, I, M>, x: F): M => l.ne(x, l.f32(0));
/** An integer is true unless it is 0. */
export const isNonzero = <F, I, M>(l: Lanes<F, I, M>, x: I): M => l.ine(x, l.i32(0));
