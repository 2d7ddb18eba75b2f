import type { Value } from "./generate/draw.js";
import { isLeaf, needed, type Program, type Ref } from "./program.js";
import type { Random } from "./random.js";

/** How a program is run: what is asked for, in which order, and what is let go of when. All of it is data, so that it can be shrunk and printed. */
export interface Scenario {
  /** Results that are asked for, in groups that are computed one after the other (`evaluate`), or all of them (`compile`). */
  readonly groups: readonly (readonly Ref[])[];
  /** Ids of the leaves that are arguments of a compiled function; other leaves are captured. Undefined: no function, but `evaluate`. */
  readonly args: readonly number[] | undefined;
  /** How often the function is called, each time with other values of its arguments. */
  readonly calls: number;
  /** The calls are made at once. */
  readonly concurrent: boolean;
  /** Decides which handles go first. */
  readonly seed: number;
}

/** A program with the way to run it. */
export interface Case {
  readonly program: Program;
  readonly scenario: Scenario;
}

export const outputsOf = ({ groups }: Scenario): readonly Ref[] => groups.flat();

export function drawScenario(random: Random, program: Program, values: readonly Value[]): Case | undefined {
  const computed = values.filter((v) => !isLeaf(program[v.ref.of]!));
  if (computed.length === 0) return undefined;
  // The last value, and some others; now and then a leaf, or the same one twice.
  const outputs = [
    computed.at(-1)!.ref,
    ...Array.from({ length: random.int(0, 3) }, () => random.pick(random.chance(0.9) ? computed : values).ref),
  ];
  const wanted = random.shuffled(outputs);
  const used = needed(program, outputs);
  const compiled = random.chance(0.6);
  const leaves = used.filter(isLeaf).map((s) => s.id);
  const args = random.shuffled(leaves).slice(0, random.int(0, leaves.length));
  const cut = random.int(0, wanted.length);
  return {
    program: used,
    scenario: {
      groups: compiled || cut === 0 || cut === wanted.length ? [wanted] : [wanted.slice(0, cut), wanted.slice(cut)],
      args: compiled ? args : undefined,
      calls: compiled ? random.pick([1, 1, 2, 3]) : 1,
      concurrent: random.chance(0.3),
      seed: random.int(1, 1e6),
    },
  };
}
