import { type Operand, sizeOf } from "@weft/tensor-core";
import { addressOf, formatCode, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

/** The sum of a float matrix over its rows. */
export function lowerColumnSum({ inputs, outputs }: OpStep, context: LowerContext): Run {
  const before: Run[] = [];
  const x = formatCode(inputs[0]!.dtype) === undefined ? converted("f32", inputs[0]!, context, before) : inputs[0]!;
  const [rows, n] = x.shape as [number, number];
  const out = outputs[0] as Operand;
  const y = out.dtype === "f32" ? out : context.temporary(out.shape, "f32");
  const args = context.args("columnSum", { y: 0, x: 0, rows, n, format: formatCode(x.dtype)! });
  const sum: Run = (addresses) => {
    args.set("y", addressOf(y, addresses));
    args.set("x", addressOf(x, addresses));
    context.pool.run(args, Math.ceil(n / 256), sizeOf(x.shape) * 4 < SMALL_BYTES);
  };
  return sequence([...before, sum, ...(y === out ? [] : [lowerCopy(y, out, context)])]);
}
