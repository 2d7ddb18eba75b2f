import { type Operand, sizeOf } from "@weft/tensor-core";
import { addressOf, type CompositeStep, type LowerContext, type Run } from "../../lower/context.js";
import { SMALL_BYTES } from "../../lower/steps.js";

export function lowerAlternatingSum({ inputs, outputs }: CompositeStep, context: LowerContext): Run {
  const [x] = inputs as [Operand];
  const [result] = outputs as [Operand];
  const rows = sizeOf(result.shape);
  const args = context.args("alternatingSum", { result: 0, x: 0, n: x.shape.at(-1)! });
  return (addresses) => {
    args.set("result", addressOf(result, addresses));
    args.set("x", addressOf(x, addresses));
    context.pool.run(args, rows, sizeOf(x.shape) * 4 < SMALL_BYTES);
  };
}
