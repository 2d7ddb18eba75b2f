import type { DType, ReduceOp } from "@weft/tensor-core";
import { combination, compute, type Computed } from "@weft/tensor-core/program";
import { conversion, operation } from "./library.js";
import { decodeBits, encodeValue } from "./storage.js";
import { WgslLanes } from "./wgsl-lanes.js";

/** WGSL for one instruction that only computes, given the names of its operands. */
export function instructionExpression(i: Computed, dtypeOf: (value: number) => DType, name: (value: number) => string): string {
  if (i.op === "cast") return conversion(dtypeOf(i.a), i.dtype, name(i.a));
  if (i.op === "bitcast") return decodeBits(i.dtype, encodeValue(dtypeOf(i.a), name(i.a)));
  if (i.op === "const" || i.op === "where") return compute(new WgslLanes(true).lanes, i, name, dtypeOf);
  return operation(i.op, dtypeOf(i.a), "b" in i ? [name(i.a), name(i.b)] : [name(i.a)]);
}

/** WGSL that takes one more value into a reduction. */
export function reduceStep(how: ReduceOp, dtype: DType, a: string, b: string): string {
  return new WgslLanes(true).op(combination(how, dtype), [a, b]);
}
