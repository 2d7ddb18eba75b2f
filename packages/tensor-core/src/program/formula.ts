import type { Lanes } from "./lanes.js";

/** What an elementwise primitive computes, on lanes whose operands are all of one representation. */
export type Compute = <V>(l: Lanes<V, V, V>, ...operands: readonly V[]) => V;

/** The value of an elementwise primitive in registers: f32 from float operands; i32 from integers and bool, and for every test (0 or 1). */
export interface Formula {
  readonly float: Compute;
  readonly integer: Compute;
}

export interface UnaryFormula {
  readonly float: <F, I, M>(l: Lanes<F, I, M>, x: F) => F;
  /** By way of f32 if not given, truncated. */
  readonly integer?: <F, I, M>(l: Lanes<F, I, M>, x: I) => I;
}

export interface BinaryFormula {
  readonly float: <F, I, M>(l: Lanes<F, I, M>, a: F, b: F) => F;
  readonly integer: <F, I, M>(l: Lanes<F, I, M>, a: I, b: I) => I;
}

export interface TestFormula {
  readonly float: <F, I, M>(l: Lanes<F, I, M>, a: F, b: F) => M;
  readonly integer: <F, I, M>(l: Lanes<F, I, M>, a: I, b: I) => M;
}

export function unaryFormula({ float, integer }: UnaryFormula): Formula {
  return {
    float: (l, x) => float(l, x!),
    integer: integer ? (l, x) => integer(l, x!) : (l, x) => l.toInt(float(l, l.toFloat(x!))),
  };
}

export function binaryFormula({ float, integer }: BinaryFormula): Formula {
  return { float: (l, a, b) => float(l, a!, b!), integer: (l, a, b) => integer(l, a!, b!) };
}

export function testFormula({ float, integer }: TestFormula): Formula {
  return { float: (l, a, b) => l.flag(float(l, a!, b!)), integer: (l, a, b) => l.flag(integer(l, a!, b!)) };
}

/** A float is true unless it is ±0; NaN is true. */
export const isTrue = <F, I, M>(l: Lanes<F, I, M>, x: F): M => l.ne(x, l.f32(0));
/** An integer is true unless it is 0. */
export const isNonzero = <F, I, M>(l: Lanes<F, I, M>, x: I): M => l.ine(x, l.i32(0));
