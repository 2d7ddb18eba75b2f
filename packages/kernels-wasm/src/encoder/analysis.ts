import type { Instruction, Program } from "@weft/tensor-core";

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

export interface Analysis {
  readonly passes: readonly Pass[];
  /** One-per-row values computed after the last sweep. */
  readonly last: readonly number[];
  /** Values that get a row of scratch memory, in order of their slots. */
  readonly kept: readonly number[];
}

/** Worth 16 bytes of traffic rather than computing twice. */
const HEAVY = new Set(["exp", "log", "sin", "cos", "tanh", "erf", "pow", "mod"]);

/** The instructions that one reads. */
function operandsOf(i: Instruction): number[] {
  if (i.op === "load" || i.op === "const" || i.op === "index") return [];
  if (i.op === "where") return [i.a, i.b, i.c];
  return "b" in i ? [i.a, i.b] : [i.a];
}

/**
 * Splits a program into sweeps over a row.
 * @param uniform whether a load or index has one value per row
 * @param keep whether values may be kept between sweeps
 */
export function analyse(program: Program, uniform: (i: Instruction) => boolean, keep: boolean): Analysis {
  const { instructions, outputs } = program;
  const stage: number[] = [];
  const row: boolean[] = [];
  const heavy: boolean[] = [];
  instructions.forEach((i, at) => {
    const from = operandsOf(i);
    const latest = Math.max(0, ...from.map((a) => stage[a]!));
    stage[at] = i.op === "reduce" ? latest + 1 : latest;
    row[at] = i.op === "const" || i.op === "reduce" || (i.op === "load" || i.op === "index" ? uniform(i) : from.every((a) => row[a]!));
    heavy[at] = !row[at] && (HEAVY.has(i.op) || from.some((a) => heavy[a]!));
  });
  const full = outputs.flatMap((o, i) => (o.perRow ? [] : [i]));
  const reduces = instructions.flatMap((i, at) => (i.op === "reduce" ? [at] : []));
  const source = (at: number): number => (instructions[at] as { a: number }).a;
  const count = Math.max(0, ...full.map((o) => stage[outputs[o]!.value]! + 1), ...reduces.map((r) => stage[source(r)]! + 1));

  const roots = (s: number): number[] => [
    ...reduces.map(source).filter((a) => stage[a] === s),
    ...(s === count - 1 ? full.map((o) => outputs[o]!.value) : []),
  ];
  const needed = (s: number, stop: ReadonlySet<number>): Set<number> => {
    const seen = new Set<number>();
    const visit = (v: number): void => {
      if (row[v] || seen.has(v)) return;
      seen.add(v);
      if (!(stop.has(v) && stage[v]! < s)) operandsOf(instructions[v]!).forEach(visit);
    };
    roots(s).forEach(visit);
    return seen;
  };

  const kept = new Set<number>();
  if (keep) {
    const everything = Array.from({ length: count }, (_, s) => needed(s, new Set()));
    for (let s = 1; s < count; s++) {
      const used = new Set(roots(s));
      for (const v of everything[s]!)
        for (const a of operandsOf(instructions[v]!)) if (stage[a]! < stage[v]! || stage[v] === s) used.add(a);
      for (const v of used) if (everything[s]!.has(v) && stage[v]! < s && heavy[v] && everything[stage[v]!]!.has(v)) kept.add(v);
    }
  }

  const byStage = (s: number): number[] => instructions.flatMap((_, at) => (row[at] && stage[at] === s ? [at] : []));
  const passes = Array.from({ length: count }, (_, s): Pass => {
    const body = [...needed(s, kept)].sort((a, b) => a - b);
    const recalled = body.filter((v) => kept.has(v) && stage[v]! < s);
    return {
      perRow: byStage(s),
      perElement: body.filter((v) => !recalled.includes(v)),
      recalled,
      kept: body.filter((v) => kept.has(v) && stage[v] === s),
      reduces: reduces.filter((r) => stage[source(r)] === s),
      stores: s === count - 1 ? full : [],
    };
  });
  return { passes, last: byStage(count), kept: [...kept] };
}
