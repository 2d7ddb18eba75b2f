import type { Operand } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

/** Floats by way of f32 (exact); integers beyond 24 bits would lose digits there and go to the reference. */
export function lowerArgReduce({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  if (x.dtype === "i32") return undefined;
  const before: Run[] = [];
  const wide = converted("f32", x, context, before);
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const args = context.args("argReduce", { result: 0, x: 0, n, inner, sign: attrs.how === "max" ? 1 : -1 });
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(out, addresses));
      args.set("x", addressOf(wide, addresses));
      context.pool.run(args, outer * inner, outer * n * inner * 4 < SMALL_BYTES);
    },
  ]);
}
