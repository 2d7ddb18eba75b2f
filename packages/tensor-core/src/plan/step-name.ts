import type { Step } from "./plan.js";

/** A name for a step in `explain`: the operation, or those of a fused program. */
export function stepName(step: Step): string {
  if (step.kind !== "fused") return step.op;
  const ops = step.program.instructions
    .filter((i) => !["load", "const", "index"].includes(i.op))
    .map((i) => (i.op === "reduce" ? i.how : i.op));
  return `fused(${ops.join(" ") || "copy"})`;
}
