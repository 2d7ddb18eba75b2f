import { type Operand, sizeOf } from "@weft/tensor-core";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import type { OpStep } from "../../lower/steps.js";

export function lowerRandom({ inputs, outputs }: OpStep, context: LowerContext): Run {
  const [key] = inputs as [Operand];
  const [out] = outputs as [Operand];
  const count = sizeOf(out.shape);
  const args = context.args("threefry", { result: 0, key: 0, count });
  return (addresses) => {
    args.set("result", addressOf(out, addresses));
    args.set("key", addressOf(key, addresses));
    context.pool.run(args, Math.ceil(count / 2), count < 4096);
  };
}
