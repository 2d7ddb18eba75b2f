import { type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { type OpStep, SMALL_BYTES } from "../../lower/steps.js";

/** f32 with an f64 running sum. */
export function lowerCumsum({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  if (x.dtype !== "f32") return undefined;
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const args = context.args("cumulate", { result: 0, x: 0, n, inner, reverse: attrs.reverse ? 1 : 0 });
  return (addresses) => {
    args.set("result", addressOf(out, addresses));
    args.set("x", addressOf(x, addresses));
    context.pool.run(args, outer * inner, sizeOf(x.shape) * 4 < SMALL_BYTES);
  };
}
