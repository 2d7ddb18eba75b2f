import type { Operand } from "@weft/tensor-core";
import { type CompositeStep, formatCode, type LowerContext, place, type Run } from "../../lower/context.js";
import { tokensOf } from "./claims-multi-lora.js";

/** Multiply-adds below which waking other threads costs more than it gives. */
const SMALL = 1 << 16;

/** `multiLora`: each row reads its own adapter where it lies in the bank. @see multi-lora.wasm.ts */
export function lowerMultiLora({ inputs, outputs, attrs }: CompositeStep, context: LowerContext): Run {
  const [x, index, a, b, scales, starts] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand];
  const [y] = outputs as [Operand];
  const [rows, width, rank] = [x.shape[0]!, a.shape[1]!, attrs.rank as number];
  const [total, columns] = b.shape as [number, number];
  const tokens = tokensOf(x);
  const args = context.args("multiLora", {
    x: 0,
    xFormat: formatCode(x.dtype)!,
    tokens,
    width,
    index: 0,
    adapters: scales.shape[0]!,
    starts: 0,
    scales: 0,
    a: 0,
    aFormat: formatCode(a.dtype)!,
    b: 0,
    bFormat: formatCode(b.dtype)!,
    total,
    rank,
    columns,
    y: 0,
    yFormat: formatCode(y.dtype)!,
  });
  const small = rows * tokens * rank * (width + columns) < SMALL;
  const operands = { x, index, a, b, scales, starts, y };
  return (addresses) => {
    place(args, operands, addresses);
    context.pool.run(args, rows * tokens, small);
  };
}
