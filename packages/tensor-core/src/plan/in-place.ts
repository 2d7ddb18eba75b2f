import { PRIMITIVES } from "../primitives/index.js";
import { tablesOf } from "../program/programs.js";
import { sameShape } from "../shape.js";
import type { Operand, Step } from "./plan.js";

/** The inputs whose memory a step can write its outputs to: all of an elementwise program but tables, those that a definition names. */
function named(step: Step): readonly Operand[] {
  if (step.kind === "fused") {
    const tables = tablesOf(step.program);
    return step.program.reduced > 0 ? [] : step.inputs.filter((_, k) => !tables.has(k));
  }
  if (step.kind === "composite") return (step.overwrites ?? []).map((i) => step.inputs[i]!);
  const input = PRIMITIVES[step.op]?.overwrites;
  return input === undefined ? [] : [step.inputs[input]!];
}

/**
 * The inputs that an output of a step of the same dtype may lie in, if no other step reads them afterwards: both are the same dense bytes, and the
 * step reads them as no other input.
 */
export function overwritable(step: Step): readonly Operand[] {
  const [output] = step.outputs;
  return named(step).filter(
    ({ buffer, offset, strides, shape }) =>
      offset === 0 &&
      sameShape(strides, output!.strides) &&
      sameShape(shape, output!.shape) &&
      step.inputs.filter((i) => i.buffer === buffer).length === 1,
  );
}
