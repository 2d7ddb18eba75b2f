import { type Operand, sizeOf } from "@weft/tensor-core";
import { addressOf, type CompositeStep, formatCode, type LowerContext, place, type Run } from "../../lower/context.js";
import { converted, SMALL_BYTES, sequence } from "../../lower/steps.js";

/** What both directions take: the arguments of the class `CrossEntropyArgs`, and the operands whose addresses the run sets. */
function rowsOf({ inputs, attrs }: CompositeStep, logs: Operand, context: LowerContext, before: Run[]) {
  const [logits, given] = inputs as [Operand, Operand];
  const labels = converted("i32", given, context, before);
  const [rows, classes] = logits.shape as [number, number];
  const ignore = attrs.ignore as number;
  return {
    rows,
    small: sizeOf(logits.shape) * 4 < SMALL_BYTES,
    values: { logits: 0, format: formatCode(logits.dtype)!, classes, labels: 0, ignore, logs: 0 },
    operands: { logits, labels, logs },
    /** How many rows are not ignored. */
    count(addresses: Int32Array): number {
      const at = addressOf(labels, addresses) >>> 2;
      return context.memory.words.subarray(at, at + rows).reduce((sum, label) => (label === ignore ? sum : sum + 1), 0);
    },
  };
}

/** `softmaxCrossEntropy`, two sweeps over a row that stays in the cache. What is one number per row is done here. @see cross-entropy.wasm.ts */
export function lowerCrossEntropy(step: CompositeStep, context: LowerContext): Run {
  const [loss, logs] = step.outputs as [Operand, Operand];
  const before: Run[] = [];
  const { rows, small, values, operands, count } = rowsOf(step, logs, context, before);
  const losses = context.temporary([rows], "f32");
  const args = context.args("crossEntropy", { ...values, losses: 0 });
  return sequence([
    ...before,
    (addresses) => {
      place(args, operands, addresses);
      const at = addressOf(losses, addresses);
      args.set("losses", at);
      context.pool.run(args, rows, small);
      const { floats } = context.memory;
      const sum = floats.subarray(at >>> 2, (at >>> 2) + rows).reduce((a, b) => a + b, 0);
      floats[addressOf(loss, addresses) >>> 2] = sum / count(addresses);
    },
  ]);
}

/** `softmaxCrossEntropyBackward` in one sweep. */
export function lowerCrossEntropyBackward(step: CompositeStep, context: LowerContext): Run {
  const [, , logs, dy] = step.inputs as [Operand, Operand, Operand, Operand];
  const before: Run[] = [];
  const { rows, small, values, operands, count } = rowsOf(step, logs, context, before);
  const args = context.args("crossEntropyBackward", { ...values, result: 0, weight: 0 });
  return sequence([
    ...before,
    (addresses) => {
      place(args, operands, addresses);
      args.set("result", addressOf(step.outputs[0]!, addresses));
      args.set("weight", context.memory.floats[addressOf(dy, addresses) >>> 2]! / count(addresses));
      context.pool.run(args, rows, small);
    },
  ]);
}
