import { overwritable } from "./in-place.js";
import type { BufferSpec, Step } from "./plan.js";

type Buffers = readonly { readonly role: BufferSpec["role"]; readonly bytes: number }[];

/** The number of the last step that reads each of these buffers; -1 if none does. */
function lastReads(steps: readonly Step[], buffers: readonly number[]): Map<number, number> {
  const last = new Map(buffers.map((id) => [id, -1]));
  steps.forEach((step, at) => step.inputs.forEach(({ buffer }) => last.has(buffer) && last.set(buffer, at)));
  return last;
}

/**
 * Puts steps that could write an output over a donated input behind the last step that reads the input: a state is updated after everything was
 * computed from it. A step stays where it is if its results are needed before, or if more scratch would have to live longer than is saved.
 */
export function delayOverwrites(steps: readonly Step[], buffers: Buffers, donated: readonly number[]): readonly Step[] {
  if (donated.length === 0) return steps;
  const lastRead = lastReads(steps, donated);
  const firstRead = new Map<number, number>();
  for (let at = steps.length - 1; at >= 0; at--) for (const { buffer } of steps[at]!.inputs) firstRead.set(buffer, at);
  const behind = new Map<number, Step[]>();
  const moved = new Set<Step>();
  steps.forEach((step, at) => {
    if (!step.outputs.some(({ buffer }) => buffers[buffer]!.role === "output")) return;
    const target = Math.max(...overwritable(step).map(({ buffer }) => lastRead.get(buffer) ?? -1));
    const needed = Math.min(...step.outputs.map(({ buffer }) => firstRead.get(buffer) ?? Infinity));
    const bytes = (role: BufferSpec["role"], list: Step["inputs"]): number =>
      list.reduce((sum, { buffer }) => sum + (buffers[buffer]!.role === role ? buffers[buffer]!.bytes : 0), 0);
    if (target <= at || needed <= target || bytes("scratch", step.inputs) > bytes("output", step.outputs)) return;
    moved.add(step);
    behind.set(target, [...(behind.get(target) ?? []), step]);
  });
  return steps.flatMap((step, at) => [...(moved.has(step) ? [] : [step]), ...(behind.get(at) ?? [])]);
}

/**
 * Lays outputs into the memory of donated inputs of the same size: those that a step writes in place of an input that nobody reads afterwards,
 * and those that are written when the last step that reads the input is over.
 * @param donated buffers of the inputs that may be overwritten
 * @returns by output buffer, the input whose memory it takes
 */
export function placeInDonated(steps: readonly Step[], buffers: Buffers, donated: readonly number[]): ReadonlyMap<number, number> {
  const over = new Map<number, number>();
  if (donated.length === 0) return over;
  const lastRead = lastReads(steps, donated);
  const lay = (output: number, input: number): void => {
    over.set(output, input);
    lastRead.delete(input);
  };
  const outputsOf = (step: Step): Step["outputs"] => step.outputs.filter(({ buffer }) => buffers[buffer]!.role === "output");
  steps.forEach((step, at) => {
    for (const output of outputsOf(step)) {
      const match = overwritable(step).find(
        ({ buffer, dtype }) =>
          lastRead.get(buffer) === at && dtype === output.dtype && buffers[buffer]!.bytes === buffers[output.buffer]!.bytes,
      );
      if (match) lay(output.buffer, match.buffer);
    }
  });
  steps.forEach((step, at) => {
    for (const { buffer } of outputsOf(step)) {
      if (over.has(buffer) || buffers[buffer]!.bytes === 0) continue;
      for (const [input, read] of lastRead) {
        if (read >= at || buffers[input]!.bytes !== buffers[buffer]!.bytes) continue;
        lay(buffer, input);
        break;
      }
    }
  });
  return over;
}
