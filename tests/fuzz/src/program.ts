import type { DType } from "@weft/tensor-core";

/*
 * A graph as data: it can be built on any device, shrunk, and printed as code.
 */

/** One of the results of a statement. */
export class Ref {
  readonly of: number;
  readonly result: number;

  constructor(of: number, result = 0) {
    this.of = of;
    this.result = result;
  }
}

export type Arg = Ref | number | string | boolean | undefined | readonly Arg[] | { readonly [name: string]: Arg };

/**
 * What a leaf holds: `normal` numbers of size about 1 with exact zeros among them (integers: up to about ±150), `positive` ones from 0.3 to 3.3,
 * `special` ones (NaN, infinities, −0, very large and very small; the ends of integers' ranges), or whole numbers `below` a bound.
 */
export type Content = "normal" | "positive" | "special" | { readonly below: number };

/** A constant or argument. */
export interface Leaf {
  readonly id: number;
  readonly leaf: Content;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly seed: number;
}

/** A call of a public function of tensor-core, or of one of `helpers.ts`. */
export interface Call {
  readonly id: number;
  readonly fn: string;
  readonly args: readonly Arg[];
}

export type Statement = Leaf | Call;
export type Program = readonly Statement[];

export const isLeaf = (s: Statement): s is Leaf => "leaf" in s;

/** Every reference in an argument. */
export function refsIn(arg: Arg): Ref[] {
  if (arg instanceof Ref) return [arg];
  if (typeof arg !== "object") return [];
  return (Array.isArray(arg) ? (arg as readonly Arg[]) : Object.values(arg)).flatMap(refsIn);
}

/** The argument with its references replaced. */
export function mapRefs<T>(arg: Arg, replace: (ref: Ref) => T): unknown {
  if (arg instanceof Ref) return replace(arg);
  if (typeof arg !== "object") return arg;
  if (Array.isArray(arg)) return (arg as readonly Arg[]).map((a) => mapRefs(a, replace));
  return Object.fromEntries(Object.entries(arg).map(([name, a]) => [name, mapRefs(a, replace)]));
}

/** The statements that `outputs` need, in order. */
export function needed(program: Program, outputs: readonly Ref[]): Program {
  const wanted = new Set(outputs.map((r) => r.of));
  for (const s of program.toReversed()) if (wanted.has(s.id) && !isLeaf(s)) for (const r of refsIn([...s.args])) wanted.add(r.of);
  return program.filter((s) => wanted.has(s.id));
}
