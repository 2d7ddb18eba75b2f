import type { Step } from "@weft/tensor-core";
import type { LowerContext, Run } from "./context.js";

/** A fused program as a kernel that is compiled for it; undefined where none can be made. */
export function lowerFused(_step: Step & { readonly kind: "fused" }, _context: LowerContext): Run | undefined {
  return undefined;
}
