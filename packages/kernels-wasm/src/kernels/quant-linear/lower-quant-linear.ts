import { isContiguous, type Operand, type QuantLinearAttrs } from "@weft/tensor-core";
import type { CompositeStep, LowerContext, Run } from "../../lower/context.js";
import { lowerCopy, lowerFused } from "../../lower/fused.js";
import { intoOutput, type Lines, linesOf, lowerLines, readable } from "../product/lower-product.js";
import { lowerDecoder, lowerDot } from "./packed-matrix.js";

/** A product with a packed weight, which is decoded as the kernels of products pack it: the one place where they see what format a matrix has. */
export function lowerQuantLinear({ inputs, outputs, attrs }: CompositeStep, context: LowerContext): Run {
  const { decode, transposed } = attrs as QuantLinearAttrs;
  const [x, ...parts] = inputs as [Operand, ...Operand[]];
  const [before, y]: [Run[], Operand] = [[], outputs[0]!];
  const dot = transposed ? undefined : lowerDot(decode, parts, x.shape[0]!, context);
  if (dot) {
    const lines = dense(x, context, before);
    return intoOutput(y, context, before, (c) => dot(lines, c));
  }
  const left = linesOf(readable(x, context, before), -2);
  const right = packedLines(parts, attrs as QuantLinearAttrs, context) ?? unpackedLines();
  return intoOutput(y, context, before, (c) => lowerLines(left, right, c, context));

  /** Where nothing may be compiled: all of the weight at once. */
  function unpackedLines(): Lines {
    const weight = context.temporary(decode.shape, "f32");
    before.push(lowerFused({ program: decode, inputs: parts, outputs: [weight] }, context));
    return linesOf(weight, transposed ? -1 : -2);
  }
}

/** x itself, or an f32 copy with contiguous rows, made by a run that is added to `before`. */
function dense(x: Operand, context: LowerContext, before: Run[]): Operand {
  if (x.dtype === "f32" && isContiguous(x.shape, x.strides)) return x;
  const copy = context.temporary(x.shape, "f32");
  before.push(lowerCopy(x, copy, context));
  return copy;
}

/** The columns of Wᵀ, or of W: their elements have numbers, row by row of W, in place of addresses. */
function packedLines(parts: readonly Operand[], { decode, transposed }: QuantLinearAttrs, context: LowerContext): Lines | undefined {
  const decoder = lowerDecoder(decode, parts, context);
  if (!decoder) return undefined;
  const [out, width] = decode.shape as [number, number];
  const common = { decoder, format: decoder.args, address: () => 0, offsets: [0] };
  return transposed
    ? { ...common, count: width, depth: out, line: 1, k: width }
    : { ...common, count: out, depth: width, line: width, k: 1 };
}
