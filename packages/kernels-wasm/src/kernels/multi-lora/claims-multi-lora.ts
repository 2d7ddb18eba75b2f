import { type CompositeCall, sizeOf } from "@weft/tensor-core";
import { formatCode } from "../../lower/context.js";

/** Elements of a row of f32 that a thread's scratch memory has room for. */
const WIDEST = 16384;
/** Tokens of a row of the batch, above which the decomposition's products are faster. */
const MOST_TOKENS = 2;

/** Tokens of each row of the batch. */
export const tokensOf = (x: { readonly shape: readonly number[] }): number => sizeOf(x.shape.slice(1, -1));

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
