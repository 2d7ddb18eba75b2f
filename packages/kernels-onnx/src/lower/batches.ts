import { type Plan, sizeOf, type Step } from "@weft/tensor-core";
import { fitsAnyShape, inShape, isSingle, shapeAtHand } from "./any-shape.js";
import type { Context, FusedStep } from "./context.js";
import { valuesOf } from "./fused.js";
import { store } from "./storage.js";
import type { Value } from "./value.js";

/** Elements of a step up to which the calls of its nodes take longer than copying what they read and make. */
const MOST_ELEMENTS = 1 << 14;
/** Elements of steps that are computed as one: as many as caches hold with all that comes up on the way. */
const BATCH_ELEMENTS = 1 << 18;
/** Steps that are worth it. */
const FEWEST = 4;

interface Member {
  readonly at: number;
  readonly step: FusedStep;
  readonly values: readonly Value[];
}

/**
 * Steps of the same elementwise program over small tensors, as an optimiser has one for each parameter: what they read is joined, computed at once, and cut again,
 * which takes far fewer nodes. They may wait for each other, since no other step reads what they make.
 */
export class Batches {
  private readonly context: Context;
  /** What the program of each step that may be in a batch is. */
  private readonly programs: ReadonlyMap<Step, string>;
  private readonly open = new Map<string, { members: Member[]; elements: number }>();

  constructor(plan: Plan, context: Context) {
    this.context = context;
    const read = new Set(plan.steps.flatMap(({ inputs }) => inputs.map(({ buffer }) => buffer)));
    const last = plan.steps.filter(({ outputs }) => outputs.every(({ buffer }) => !read.has(buffer)));
    const keys = new Map(last.flatMap((step) => (step.kind === "fused" && isSmall(step) ? [[step, keyOf(step)]] : [])));
    const count = new Map<string, number>();
    for (const key of keys.values()) count.set(key, (count.get(key) ?? 0) + 1);
    this.programs = new Map([...keys].filter(([, key]) => count.get(key)! >= FEWEST));
  }

  /** Takes a step, if it may be in a batch. */
  take(given: Step, at: number): boolean {
    const key = this.programs.get(given);
    if (key === undefined || given.kind !== "fused") return false;
    const { context } = this;
    const shape = shapeAtHand(context, given);
    const step = inShape(given, shape);
    const joint = `${shape.slice(1)} ${key}`;
    const batch = this.open.get(joint) ?? { members: [], elements: 0 };
    this.open.set(joint, batch);
    batch.members.push({ at, step, values: step.inputs.map((input) => context.view(input)) });
    batch.elements += sizeOf(shape);
    if (batch.elements >= BATCH_ELEMENTS) this.close(joint);
    return true;
  }

  /** Computes what is left. */
  finish(): void {
    for (const key of this.open.keys()) this.close(key);
  }

  private close(key: string): void {
    const { builder: b, lanes } = this.context;
    const { members } = this.open.get(key)!;
    this.open.delete(key);
    const { at, step: first, values } = members[0]!;
    b.graph.label = String(at);
    const lengths = members.map(({ step }) => step.program.shape[0]!);
    const shape = [lengths.reduce((sum, n) => sum + n, 0), ...first.program.shape.slice(1)];
    const joined = first.inputs.map((input, k) =>
      isSingle(input)
        ? values[k]!
        : b.concat(
            members.map((m) => m.values[k]!),
            0,
          ),
    );
    const made = valuesOf(this.context, { ...first.program, shape }, first.inputs, (k) => joined[k]!);
    first.program.outputs.forEach(({ value }, k) => {
      const { dtype } = first.outputs[k]!;
      const { name } = store(b, lanes, b.expand(made[value]!, shape), first.program.instructions[value]!.dtype, dtype);
      const parts = members.length === 1 ? [name] : b.graph.call("Split", [name, b.numbers(lengths)], members.length, { axis: 0 });
      members.forEach(({ step: { program, outputs } }, i) =>
        this.context.put(outputs[k]!, { name: parts[i]!, dtype, shape: program.shape }),
      );
    });
  }
}

const isSmall = (step: FusedStep): boolean => {
  const elements = sizeOf(step.program.shape);
  return elements > 1 && elements <= MOST_ELEMENTS && fitsAnyShape(step);
};

/** The same for steps that compute the same of single numbers that are the same. */
const keyOf = ({ program: { instructions, outputs: results }, inputs, outputs }: FusedStep): string =>
  JSON.stringify([
    instructions,
    results,
    inputs.map((input) => (isSingle(input) ? [input.buffer, input.offset, input.dtype] : input.dtype)),
    outputs.map(({ dtype }) => dtype),
  ]);
