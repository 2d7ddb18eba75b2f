import { isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

/** Floats by way of f32, integers by way of i32: both keep the order. */
export function lowerArgSort({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const before: Run[] = [];
  const type = isFloat(x.dtype) ? "f32" : "i32";
  const wide = converted(type, x, context, before);
  const room = context.temporary([4, sizeOf(x.shape)], "i32");
  const [descending, whole] = [attrs.descending ? 1 : 0, type === "i32" ? 1 : 0];
  const args = context.args("argSort", { result: 0, x: 0, room: 0, n, inner, descending, whole });
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(out, addresses));
      args.set("x", addressOf(wide, addresses));
      args.set("room", addressOf(room, addresses));
      context.pool.run(args, outer * inner, sizeOf(x.shape) * 64 < SMALL_BYTES);
    },
  ]);
}
