import { isFloat, type Operand } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

/** Higher than all numbers: the first NaN is the result. */
const FIRST = 0x7fffffff;

/** Floats by way of f32, integers by way of i32, both exact. */
export function lowerArgReduce({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  const before: Run[] = [];
  const wide = converted(isFloat(x.dtype) ? "f32" : "i32", x, context, before);
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const args = context.args("argReduce", {
    integer: isFloat(x.dtype) ? 0 : 1,
    turn: attrs.how === "max" ? 0 : -1,
    nan: FIRST,
    result: 0,
    x: 0,
    n,
    inner,
  });
  const items = outer * (inner >= 4 ? Math.ceil(inner / 4) : inner);
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(out, addresses));
      args.set("x", addressOf(wide, addresses));
      context.pool.run(args, items, outer * n * inner * 4 < SMALL_BYTES);
    },
  ]);
}
