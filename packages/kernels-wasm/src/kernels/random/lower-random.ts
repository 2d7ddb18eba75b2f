import { type Operand, sizeOf } from "@weft/tensor-core";
import type { LowerContext, Run } from "../../lower/context.js";
import { placeOf } from "../../lower/place.js";
import type { OpStep } from "../../lower/steps.js";

export function lowerRandom({ inputs, outputs }: OpStep, context: LowerContext): Run {
  const [key] = inputs as [Operand];
  const [out] = outputs as [Operand];
  const count = sizeOf(out.shape);
  const args = context.args("threefry", { result: 0, key: 0, count });
  return (addresses) => {
    args.set("result", placeOf(out, addresses));
    args.set("key", placeOf(key, addresses));
    context.pool.run(args, Math.ceil(count / 2), count < 4096);
  };
}
