import { type DType, isFloat } from "../dtype.js";
import type { Instruction } from "../plan/plan.js";
import type { ReduceOp } from "../primitives/reduce.js";
import type { LaneOp } from "./lanes.js";

/** An instruction that reduces. */
export type Reduce = Extract<Instruction, { op: "reduce" }>;

/** The value that changes nothing. */
export function identity(how: ReduceOp, dtype: DType): number {
  if (how === "sum" || how === "prod") return how === "sum" ? 0 : 1;
  const limit = isFloat(dtype) ? Infinity : 2 ** 31;
  return how === "max" ? -limit : isFloat(dtype) ? limit : limit - 1;
}

/** The operation that takes one more value in. */
export function combination(how: ReduceOp, dtype: DType): LaneOp {
  return isFloat(dtype)
    ? ({ sum: "add", prod: "mul", max: "max", min: "min" } as const)[how]
    : ({ sum: "iadd", prod: "imul", max: "imax", min: "imin" } as const)[how];
}
