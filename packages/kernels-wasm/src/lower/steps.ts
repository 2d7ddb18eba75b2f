import type { Operand, Step } from "@weft/tensor-core";
import type { LowerContext, Run } from "./context.js";
import { lowerCopy } from "./fused.js";

/** A primitive that is not elementwise. */
export type OpStep = Step & { readonly kind: "op" };

/** Bytes moved below which waking other threads costs more than it gives. */
export const SMALL_BYTES: number = 1 << 17;

export const sequence = (runs: readonly Run[]): Run =>
  runs.length === 1 ? runs[0]! : (addresses) => runs.forEach((run) => run(addresses));

/** The operand itself if it has the dtype, else a converted copy, made by a run that is added to `before`. */
export function converted(dtype: "f32" | "i32", x: Operand, context: LowerContext, before: Run[]): Operand {
  if (x.dtype === dtype) return x;
  const copy = context.temporary(x.shape, dtype);
  before.push(lowerCopy(x, copy, context));
  return copy;
}
