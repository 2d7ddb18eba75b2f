import type { DType, Instruction, Operand, Plan, Step } from "@weft/tensor-core";
import { closure, operandsOf, withOperands } from "@weft/tensor-core/program";

/** The values of one buffer as elementwise instructions over `shape`, the last of which is the value; with nothing in it that other buffers need. */
export interface Slice {
  readonly shape: readonly number[];
  readonly instructions: readonly Instruction[];
  /** What `load` and `lookup` read: memory by its number among all that is read, or what another slice gives. */
  readonly inputs: readonly (View & { readonly from: number | Slice })[];
}

/** How an operand lies in what it is a view of. */
type View = Pick<Operand, "dtype" | "strides" | "offset">;

export type FusedStep = Extract<Step, { readonly kind: "fused" }>;

/** The step that makes each buffer, and the number of its output there; undefined if one is not elementwise. */
export function makersOf({ steps }: Plan): ReadonlyMap<number, readonly [step: FusedStep, output: number]> | undefined {
  const makers = new Map<number, readonly [FusedStep, number]>();
  for (const step of steps) {
    if (step.kind !== "fused" || step.program.reduced > 0) return undefined;
    step.outputs.forEach(({ buffer }, at) => makers.set(buffer, [step, at]));
  }
  return makers;
}

/** What makes a buffer. @param reads is given the buffers that are memory, in the order of their numbers */
export function sliceOf(buffer: number, makers: NonNullable<ReturnType<typeof makersOf>>, reads: number[]): Slice {
  const [{ program, inputs, outputs }, at] = makers.get(buffer)!;
  const { value } = program.outputs[at]!;
  const needed = closure(program, [value]);
  const places = new Map(needed.map((old, place) => [old, place]));
  const views: (View & { from: number | Slice })[] = [];
  const viewed = new Map<number, number>();
  const view = (input: number): number => {
    const known = viewed.get(input);
    if (known !== undefined) return known;
    const { buffer: source, dtype, strides, offset } = inputs[input]!;
    const from = makers.has(source) ? sliceOf(source, makers, reads) : numberOf(source, reads);
    const made = views.push({ dtype, strides, offset, from }) - 1;
    viewed.set(input, made);
    return made;
  };
  const instructions = needed.map((old): Instruction => {
    const i = program.instructions[old]!;
    const moved = operandsOf(i).length > 0 ? withOperands(i, (v) => places.get(v)!) : i;
    return "input" in moved ? { ...moved, input: view(moved.input) } : moved;
  });
  return cast({ shape: program.shape, instructions, inputs: views }, outputs[at]!.dtype);
}

/** The same values in a dtype. */
export function cast(slice: Slice, dtype: DType): Slice {
  const { instructions } = slice;
  const a = instructions.length - 1;
  return instructions[a]!.dtype === dtype ? slice : { ...slice, instructions: [...instructions, { op: "cast", dtype, a }] };
}

/** What lies in memory, element by element. */
export function copy(elements: number, dtype: DType): Slice {
  return {
    shape: [elements],
    instructions: [{ op: "load", dtype, input: 0 }],
    inputs: [{ dtype, strides: [1], offset: 0, from: 0 }],
  };
}

function numberOf(buffer: number, reads: number[]): number {
  const at = reads.indexOf(buffer);
  return at < 0 ? reads.push(buffer) - 1 : at;
}
