import { type Operand, sizeOf } from "@weft/tensor-core";
import type { Context, OpStep } from "./context.js";
import { broadcast, type Value } from "./value.js";

/** A factor as the product takes it: with its last two axes as they lie in memory, and whether they are swapped there. */
interface Factor {
  readonly value: Value;
  readonly swapped: boolean;
}

const swapLast = <T>(list: readonly T[]): T[] => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];

function factorOf(context: Context, operand: Operand): Factor {
  const [rows, columns] = operand.shape.slice(-2) as [number, number];
  const swapped = rows !== 1 && columns !== 1 && operand.strides.at(-2) === 1 && operand.strides.at(-1)! >= rows;
  const read = swapped ? { ...operand, shape: swapLast(operand.shape), strides: swapLast(operand.strides) } : operand;
  const v = context.view(read);
  // Batches may stay at length 1, rows and columns may not.
  return { value: context.builder.expand(v, [...v.shape.slice(0, -2), ...read.shape.slice(-2)]), swapped };
}

/** [m, k] of all batches, where they share one second factor: one product instead of one each. */
function shared({ value }: Factor, { builder: b }: Context): Value {
  const batches = value.shape.slice(0, -2);
  return batches.length > 0 && sizeOf(batches) === 1 ? b.reshape(value, value.shape.slice(-2)) : value;
}

export function lowerMatmul({ inputs: [x, y], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  if (sizeOf(x!.shape) === 0) return context.store(output!, b.constant("f", 0));
  const [left, right] = [factorOf(context, x!), factorOf(context, y!)];
  const [a, c] = [left.value, shared(right, context)];
  const name =
    left.swapped || right.swapped
      ? b.graph.node("FusedMatMul", [a.name, c.name], { transA: Number(left.swapped), transB: Number(right.swapped) }, "com.microsoft")
      : b.graph.node("MatMul", [a.name, c.name]);
  const batches = broadcast([a.shape.slice(0, -2), c.shape.slice(0, -2)]);
  const product: Value = { name, kind: "f", shape: [...batches, ...output!.shape.slice(-2)] };
  context.store(output!, product);
}
