import { type CompositeCall, type Operand, sizeOf } from "@weft/tensor-core";
import { type CompositeStep, formatCode, type LowerContext, place, type Run } from "../../lower/context.js";

/** Elements of a row of f32 that a thread's scratch memory has room for. */
const WIDEST = 16384;
/** Tokens of a row of the batch, above which the decomposition's products are faster. */
const MOST_TOKENS = 2;

const tokensOf = (x: { readonly shape: readonly number[] }): number => sizeOf(x.shape.slice(1, -1));

/** Few tokens in formats that the kernel reads, where f32 in between is at least as exact as the roundings of the decomposition. */
export function claimsMultiLora({ inputs, outputs }: CompositeCall): boolean {
  const [x, index, a, b, scales, starts] = inputs as [Spec, Spec, Spec, Spec, Spec, Spec];
  return (
    [x, a, b, outputs[0]!].every((t) => formatCode(t.dtype) !== undefined) &&
    index.dtype === "i32" &&
    starts.dtype === "i32" &&
    scales.dtype === "f32" &&
    (a.dtype === "f32" || a.dtype === x.dtype) &&
    Math.max(a.shape[1]!, b.shape[1]!) <= WIDEST &&
    tokensOf(x) <= MOST_TOKENS
  );
}

type Spec = CompositeCall["inputs"][number];

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
