import { bytesPerElement, isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { addressOf, type CompositeStep, type LowerContext, type Run } from "../../lower/context.js";
import { converted, SMALL_BYTES, sequence } from "../../lower/steps.js";

/** Bits of Infinity, as which NaN counts. */
const INFINITE = 0x7f800000;

/** `topK` in one pass over each row. @see top-k.wasm.ts */
export function lowerTopK({ attrs, inputs, outputs }: CompositeStep, context: LowerContext): Run {
  const [x] = inputs as [Operand];
  const [values, indices] = outputs as [Operand, Operand];
  const before: Run[] = [];
  const keys = converted(isFloat(x.dtype) ? "f32" : "i32", x, context, before);
  const n = x.shape.at(-1)!;
  const args = context.args("topK", {
    integer: isFloat(x.dtype) ? 0 : 1,
    turn: 0,
    nan: INFINITE,
    x: 0,
    n,
    k: attrs.k as number,
    source: 0,
    width: bytesPerElement(x.dtype),
    values: 0,
    indices: 0,
  });
  return sequence([
    ...before,
    (addresses) => {
      args.set("x", addressOf(keys, addresses));
      args.set("source", addressOf(x, addresses));
      args.set("values", addressOf(values, addresses));
      args.set("indices", addressOf(indices, addresses));
      context.pool.run(args, sizeOf(x.shape) / n, sizeOf(x.shape) * 4 < SMALL_BYTES);
    },
  ]);
}
