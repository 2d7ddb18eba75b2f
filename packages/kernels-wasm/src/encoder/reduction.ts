import { type DType, type Instruction, isFloat, type ReduceOp } from "@weft/tensor-core";
import type { BinaryLane } from "./lanes.js";

export type Reduce = Extract<Instruction, { op: "reduce" }>;

/** How one reduction accumulates: float sums and products in f64, the rest in the lanes themselves. */
export type Accumulation = { readonly wide: "add" | "mul" } | { readonly wide: undefined; readonly lane: BinaryLane };

export function accumulation(how: ReduceOp, dtype: DType): Accumulation {
  if (isFloat(dtype)) {
    if (how === "sum") return { wide: "add" };
    if (how === "prod") return { wide: "mul" };
    return { wide: undefined, lane: how };
  }
  const lane = { sum: "iadd", prod: "imul", max: "imax", min: "imin" } as const;
  return { wide: undefined, lane: lane[how] };
}

/** The value that changes nothing. */
export function identity(how: ReduceOp, dtype: DType): number {
  if (how === "sum" || how === "prod") return how === "sum" ? 0 : 1;
  const limit = isFloat(dtype) ? Infinity : 2 ** 31;
  return how === "max" ? -limit : isFloat(dtype) ? limit : limit - 1;
}
