import { DeviceError } from "../errors.js";
import { overwritable } from "./in-place.js";
import { operandBytes } from "./operand.js";
import type { Plan } from "./plan.js";

/**
 * Checks what keeps memory that nobody wrote out of results: one step writes each output and each scratch buffer, whole and before any step reads
 * it, and no step writes an input, but for donated ones: one output may lie over each, written when no step reads the input any more, or by the last
 * one that does if it may work in place.
 * @throws DeviceError kind `internal`: a fault of the planner, not of its caller
 */
export function checkWrites({ buffers, steps, inputs, outputs }: Plan): void {
  const written = new Set(inputs);
  const overwritten = new Set<number>();
  const broken = (buffer: number, why: string): DeviceError =>
    new DeviceError(`the plan's ${buffers[buffer]!.role} buffer ${buffer} ${why}`, {
      kind: "internal",
      hint: "this is a fault of weft: please report it, with what was computed",
    });
  for (const step of steps) {
    for (const { buffer } of step.inputs) {
      if (!written.has(buffer)) throw broken(buffer, "is read before a step writes it");
      if (overwritten.has(buffer)) throw broken(buffer, "is read after a step has written over it");
    }
    for (const operand of step.outputs) {
      const { buffer, offset } = operand;
      if (written.has(buffer)) throw broken(buffer, "is written twice");
      if (offset !== 0 || operandBytes(operand) !== buffers[buffer]!.bytes) throw broken(buffer, "is written in part");
      written.add(buffer);
      const spec = buffers[buffer]!;
      if (spec.role !== "output" || spec.over === undefined) continue;
      const below = buffers[spec.over]!;
      if (below.role !== "input" || !below.donated || below.bytes !== spec.bytes) throw broken(spec.over, "may not be written over");
      if (overwritten.has(spec.over)) throw broken(spec.over, "is written over twice");
      const inPlace = overwritable(step).some((o) => o.buffer === spec.over && o.dtype === operand.dtype);
      if (!inPlace && step.inputs.some((o) => o.buffer === spec.over)) throw broken(spec.over, "is read by a step that writes over it");
      overwritten.add(spec.over);
    }
  }
  const bound = new Set<number>();
  for (const { buffer } of outputs) {
    if (buffers[buffer]!.role !== "output" || bound.has(buffer)) throw broken(buffer, "is not one result's own");
    if (!written.has(buffer)) throw broken(buffer, "is written by no step");
    bound.add(buffer);
  }
}
