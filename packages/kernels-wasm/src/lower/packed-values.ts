import type { Step } from "@weft/tensor-core";
import { tablesOf } from "@weft/tensor-core/program";

/** Rows that are shorter have no sixteen neighbours often enough. */
const SHORTEST = 64;

/** Whether a step stores the values of a packed matrix: each is computed of numbers that are looked up by its place, and of nothing else. */
export function isPackedValues(step: Step): step is Step & { readonly kind: "fused" } {
  if (step.kind !== "fused") return false;
  const { program, inputs, outputs } = step;
  const [output] = outputs;
  return (
    program.reduced === 0 &&
    program.shape.length === 2 &&
    program.shape[1]! >= SHORTEST &&
    outputs.length === 1 &&
    output!.dtype === "f32" &&
    program.instructions[program.outputs[0]!.value]!.dtype === "f32" &&
    inputs.length > 0 &&
    tablesOf(program).size === inputs.length &&
    program.instructions.some(({ op }) => op === "index")
  );
}
