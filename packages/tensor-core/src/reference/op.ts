import type { Attrs } from "../attrs.js";
import type { Operand } from "../plan/plan.js";
import { PRIMITIVES } from "../primitives/index.js";
import { type Memory, readOperand, writeOperand } from "./views.js";

/** Runs one `op` step of a plan by the primitive's plain implementation; a backend may use it for what it has no kernel for. */
export function runReferenceOp(memory: Memory, op: string, attrs: Attrs, inputs: readonly Operand[], output: Operand): void {
  const values = PRIMITIVES[op]!.reference!(
    inputs.map((i) => ({ values: readOperand(memory, i), shape: i.shape })),
    attrs,
    output,
  );
  writeOperand(memory, output, values);
}
