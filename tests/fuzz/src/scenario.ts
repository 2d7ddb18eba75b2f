import type { Value } from "./generate/draw.js";
import { isLeaf, type Leaf, needed, type Program, type Ref } from "./program.js";
import type { Random } from "./random.js";

/** How a program is run: what is asked for, in which order, and what is let go of when. All of it is data, so that it can be shrunk and printed. */
export interface Scenario {
  /** Results that are asked for, in groups that are computed one after the other (`evaluate`), or all of them (`compile`). */
  readonly groups: readonly (readonly Ref[])[];
  /** Ids of the leaves that are arguments of a compiled function; other leaves are captured. Undefined: no function, but `evaluate`. */
  readonly args: readonly number[] | undefined;
  /** How often the function is called, each time with other values of its arguments. */
  readonly calls: number;
  /** Ids of those arguments that each call takes over. */
  readonly donate: readonly number[];
  /** What a call gives that the next one takes over in place of a leaf, by the numbers of outputs. */
  readonly feed: readonly { readonly output: number; readonly leaf: number }[];
  /** The calls are made by what `prepare` gives. */
  readonly bound: boolean;
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
  const donate = compiled && random.chance(0.5) ? args.filter(() => random.chance(0.6)) : [];
  const concurrent = random.chance(0.3);
  return {
    program: used,
    scenario: {
      groups: compiled || cut === 0 || cut === wanted.length ? [wanted] : [wanted.slice(0, cut), wanted.slice(cut)],
      args: compiled ? args : undefined,
      calls: compiled ? random.pick([1, 1, 2, 3]) : 1,
      donate,
      feed: concurrent ? [] : feedOf(random, used, values, wanted, donate),
      bound: compiled && random.chance(0.4),
      concurrent,
      seed: random.int(1, 1e6),
    },
  };
}

/** Outputs that fit in place of donated leaves, each at most once. */
function feedOf(
  random: Random,
  program: Program,
  values: readonly Value[],
  outputs: readonly Ref[],
  donate: readonly number[],
): Scenario["feed"] {
  const free = outputs.map((ref, output) => ({ output, value: values.find((v) => v.ref.of === ref.of && v.ref.result === ref.result)! }));
  return donate.flatMap((leaf) => {
    const { leaf: content, shape, dtype } = program.find((s) => s.id === leaf) as Leaf;
    // Whole numbers below a bound are indices.
    const at = free.findIndex(({ value }) => typeof content === "string" && value.dtype === dtype && value.shape.join() === shape.join());
    return at < 0 || random.chance(0.3) ? [] : [{ leaf, output: free.splice(at, 1)[0]!.output }];
  });
}
