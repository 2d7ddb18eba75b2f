import { isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

const HOW: Readonly<Record<string, number>> = { sum: 0, max: 1, linear: 2 };
/** Lines of an item. @see scan-lines.wasm.ts */
const COLUMNS = 512;

/** Floats by way of f32, integers by way of i32. */
export function lowerScan({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [out] = outputs as [Operand];
  const [outer, n, inner] = around(out.shape, attrs.axis as number);
  const type = isFloat(out.dtype) ? "f32" : "i32";
  const before: Run[] = [];
  const [factors, x] = [inputs[0]!, inputs.at(-1)!].map((t) => converted(type, t, context, before)) as [Operand, Operand];
  const result = out.dtype === type ? out : context.temporary(out.shape, type);
  const [reverse, how, whole] = [attrs.reverse ? 1 : 0, HOW[attrs.how as string]!, type === "i32" ? 1 : 0];
  const args = context.args("scanLines", { result: 0, factors: 0, x: 0, n, inner, reverse, how, whole });
  const items = outer * Math.ceil(inner / COLUMNS);
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(result, addresses));
      args.set("factors", addressOf(factors, addresses));
      args.set("x", addressOf(x, addresses));
      context.pool.run(args, items, sizeOf(out.shape) * 4 < SMALL_BYTES);
    },
    ...(result === out ? [] : [lowerCopy(result, out, context)]),
  ]);
}
