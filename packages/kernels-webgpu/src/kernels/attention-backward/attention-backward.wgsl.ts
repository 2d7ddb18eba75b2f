import { attentionLimits, isFloat, type Operand, type Program, sizeOf } from "@weft/tensor-core";
import { tileType } from "../../wgsl/tile-type.js";
import { dense, MAX_WIDTH } from "../attention/rows.js";
import type { CompositeKernel, Dispatch, LowerContext } from "../kernel.js";
import { rowReduce } from "../row-reduce/row-reduce.wgsl.js";
import { gradientPass, passTile, type PassCall } from "./gradient-pass.wgsl.js";

/**
 * `attentionBackward` in the form of FlashAttention-2: no T×S matrix lies in memory. Three calls: per query row L and
 * Δ = Σ y·dy; dq, where keys pass by; dk and dv, where queries pass by. The decomposition needs eight and two matrices [B, H, T, S].
 * Sums run in a fixed order: no atomics, the same bits at every run.
 * @see Dao 2023, algorithm 2
 */
export const attentionBackward: CompositeKernel = {
  claims({ inputs }, limits) {
    const [width, valueWidth] = [inputs[0]!.shape[3]!, inputs[2]!.shape[3]!];
    return (
      inputs.every((i, at) => isFloat(i.dtype) || at >= 6) &&
      // The pass over keys binds seven more.
      inputs.length - 6 + 7 <= limits.maxStorageBuffers &&
      Math.max(width, valueWidth) <= MAX_WIDTH &&
      passTile(
        width,
        valueWidth,
        tileType(
          [0, 1, 2, 5].map((i) => inputs[i]!.dtype),
          limits,
        ),
        limits,
      ) !== undefined
    );
  },
  lower({ inputs, outputs, attrs }, context) {
    const before: Dispatch[] = [];
    const [q, k, v, y, logs, dy] = dense(inputs.slice(0, 6), context, before) as [Operand, Operand, Operand, Operand, Operand, Operand];
    const { mask, lengths: given } = attentionLimits(inputs);
    const [lengths] = dense(given ? [given] : [], context, before);
    const [dq, dk, dv] = outputs as [Operand, Operand, Operand];
    const stats = context.temporary([2, sizeOf(logs.shape)], "f32");
    const call: PassCall = { q, k, v, dy, stats, mask, lengths, scale: attrs.scale as number, causal: attrs.causal as boolean };
    const dispatches = [gradientPass("query", call, [dq], context), gradientPass("key", call, [dk, dv], context)].filter(
      (_, i) => sizeOf([dq, dk][i]!.shape) > 0,
    );
    return [...before, ...(sizeOf(logs.shape) > 0 ? [rowStats(y, dy, logs, stats, context)] : []), ...dispatches];
  },
};

/** `stats`: L of all rows, then Δ of all rows, in one buffer, so that a pass binds no more than 8. */
function rowStats(y: Operand, dy: Operand, logs: Operand, stats: Operand, context: LowerContext): Dispatch {
  const [rows, width] = [sizeOf(logs.shape), y.shape[3]!];
  const program: Program = {
    shape: [rows, width],
    reduced: 1,
    instructions: [
      { op: "load", dtype: y.dtype, input: 0 },
      { op: "load", dtype: dy.dtype, input: 1 },
      { op: "mul", dtype: "f32", a: 0, b: 1 },
      { op: "reduce", dtype: "f32", how: "sum", a: 2 },
      { op: "load", dtype: "f32", input: 2 },
    ],
    outputs: [
      { value: 4, perRow: true },
      { value: 3, perRow: true },
    ],
  };
  const over = (o: Operand, strides: readonly number[]): Operand => ({ ...o, shape: [rows, width], strides });
  const plane = (i: number): Operand => ({ ...stats, shape: [rows], strides: [1], offset: i * rows });
  return rowReduce(program, [over(y, [width, 1]), over(dy, [width, 1]), over(logs, [1, 0])], [plane(0), plane(1)], context);
}
