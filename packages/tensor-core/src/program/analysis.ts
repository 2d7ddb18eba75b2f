import type { Instruction, Program } from "../plan/plan.js";
import { sizeOf } from "../shape.js";
import { isHeavy } from "./instructions.js";

/** The values that an instruction computes with. */
export function operandsOf(i: Instruction): number[] {
  const { a, b, c } = i as { a?: number; b?: number; c?: number };
  return [a, b, c].filter((v) => v !== undefined);
}

/** The instruction with other operand values. */
export function withOperands(i: Instruction, at: (value: number) => number): Instruction {
  const { a, b, c } = i as { a?: number; b?: number; c?: number };
  return {
    ...i,
    ...(a !== undefined && { a: at(a) }),
    ...(b !== undefined && { b: at(b) }),
    ...(c !== undefined && { c: at(c) }),
  } as Instruction;
}

/** The values that `targets` need, themselves included, in order; `stop` values are not looked into. */
export function closure(program: Program, targets: readonly number[], stop: (value: number) => boolean = () => false): number[] {
  const needed = new Set<number>();
  const stack = [...targets];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (needed.has(value)) continue;
    needed.add(value);
    if (!stop(value)) stack.push(...operandsOf(program.instructions[value]!));
  }
  return [...needed].sort((a, b) => a - b);
}

/** Rows of a program and their length. */
export function rowsOf({ shape, reduced }: Program): { rows: number; length: number } {
  return { rows: sizeOf(shape.slice(0, shape.length - reduced)), length: sizeOf(shape.slice(shape.length - reduced)) };
}

/** What is known of each value of a program with rows. */
export interface Values {
  /** One per row: it may be computed outside the sweeps over the row. */
  readonly scalar: readonly boolean[];
  /** Number of reductions on the longest way to it. */
  readonly level: readonly number[];
}

/**
 * @param uniform whether a load or index has one value per row
 */
function valuesOf({ instructions }: Program, uniform: (i: Instruction) => boolean): Values {
  const scalar: boolean[] = [];
  const level: number[] = [];
  for (const i of instructions) {
    const from = operandsOf(i);
    const below = Math.max(0, ...from.map((v) => level[v]!));
    level.push(i.op === "reduce" ? below + 1 : below);
    scalar.push(i.op === "reduce" || (i.op === "load" || i.op === "index" ? uniform(i) : from.every((v) => scalar[v]!)));
  }
  return { scalar, level };
}

/** One sweep over the elements of a row. A row is swept once more after each reduction that others build on. */
export interface Pass {
  /** Values that are one per row, computed before the sweep. */
  readonly perRow: readonly number[];
  /** Values computed for each element, in order. */
  readonly perElement: readonly number[];
  /** Values kept by an earlier sweep, read again instead of computed again. */
  readonly recalled: readonly number[];
  /** Values of `perElement` that a later sweep recalls. */
  readonly kept: readonly number[];
  /** `reduce` instructions that this sweep accumulates. */
  readonly reduces: readonly number[];
  /** Indices of the program's outputs that this sweep stores. */
  readonly stores: readonly number[];
}

/** What a fused program does, in the order in which a backend emits it: sweeps over a row, and what is computed between them. */
export interface Analysis extends Values {
  readonly passes: readonly Pass[];
  /** One-per-row values computed after the last sweep. */
  readonly last: readonly number[];
  /** Values that get a row of scratch memory, in order of their slots. */
  readonly kept: readonly number[];
}

/**
 * Splits a program into sweeps over a row. What no output needs is left out.
 * @param uniform whether a load or index has one value per row
 * @param keep whether values may be kept between sweeps
 */
export function analyse(program: Program, uniform: (i: Instruction) => boolean, keep: boolean): Analysis {
  const { instructions, outputs } = program;
  const values = valuesOf(program, uniform);
  const { scalar, level } = values;
  const live = closure(
    program,
    outputs.map((o) => o.value),
  );
  const full = outputs.flatMap((o, i) => (o.perRow ? [] : [i]));
  const reduces = live.filter((v) => instructions[v]!.op === "reduce");
  const source = (at: number): number => (instructions[at] as { a: number }).a;
  const count = Math.max(0, ...full.map((o) => level[outputs[o]!.value]! + 1), ...reduces.map((r) => level[r]!));

  const roots = (s: number): number[] => [
    ...reduces.map(source).filter((a) => level[a] === s),
    ...(s === count - 1 ? full.map((o) => outputs[o]!.value) : []),
  ];
  const needed = (s: number, kept: ReadonlySet<number>): number[] =>
    closure(program, roots(s), (v) => scalar[v]! || (kept.has(v) && level[v]! < s)).filter((v) => !scalar[v]);
  const kept = keep ? worthKeeping(program, values, count, roots, (s) => needed(s, new Set())) : new Set<number>();

  const perRow = (s: number): number[] => live.filter((v) => scalar[v] && level[v] === s);
  const passes = Array.from({ length: count }, (_, s): Pass => {
    const body = needed(s, kept);
    const recalled = body.filter((v) => kept.has(v) && level[v]! < s);
    return {
      perRow: perRow(s),
      perElement: body.filter((v) => !recalled.includes(v)),
      recalled,
      kept: body.filter((v) => kept.has(v) && level[v] === s),
      reduces: reduces.filter((r) => level[source(r)] === s),
      stores: s === count - 1 ? full : [],
    };
  });
  return { ...values, passes, last: perRow(count), kept: [...kept] };
}

/** Values that are dear to compute and that a later sweep uses than the first that computes them. */
function worthKeeping(
  { instructions }: Program,
  { scalar, level }: Values,
  count: number,
  roots: (s: number) => readonly number[],
  needed: (s: number) => readonly number[],
): Set<number> {
  const heavy: boolean[] = [];
  instructions.forEach((i, v) => heavy.push(!scalar[v] && (isHeavy(i) || operandsOf(i).some((a) => heavy[a]!))));
  const everything = Array.from({ length: count }, (_, s) => new Set(needed(s)));
  const kept = new Set<number>();
  for (let s = 1; s < count; s++) {
    const used = new Set(roots(s));
    for (const v of everything[s]!) for (const a of operandsOf(instructions[v]!)) if (level[a]! < level[v]! || level[v] === s) used.add(a);
    for (const v of used) if (everything[s]!.has(v) && level[v]! < s && heavy[v] && everything[level[v]!]!.has(v)) kept.add(v);
  }
  return kept;
}
