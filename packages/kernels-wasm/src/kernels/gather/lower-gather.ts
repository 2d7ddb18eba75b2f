import { bytesPerElement, type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

/** Rows of any dtype, copied as bytes. */
export function lowerGather({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [x, index] = inputs as [Operand, Operand];
  const [out] = outputs as [Operand];
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const before: Run[] = [];
  const indices = converted("i32", index, context, before);
  const count = sizeOf(index.shape);
  const rowBytes = inner * bytesPerElement(x.dtype);
  const args = context.args("gatherRows", { result: 0, x: 0, indices: 0, rows: n, count, bytes: rowBytes });
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(out, addresses));
      args.set("x", addressOf(x, addresses));
      args.set("indices", addressOf(indices, addresses));
      context.pool.run(args, outer * count, outer * count * rowBytes < SMALL_BYTES);
    },
  ]);
}
