import { isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";

/** Sums in f32, of integers in i32; other dtypes by way of these. */
export function lowerScatterAdd({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [base, index, updates] = inputs as [Operand, Operand, Operand];
  const [out] = outputs as [Operand];
  const type = isFloat(base.dtype) ? "f32" : "i32";
  const [outer, n, inner] = around(base.shape, attrs.axis as number);
  const before: Run[] = [];
  const indices = converted("i32", index, context, before);
  const added = converted(type, updates, context, before);
  const sum: Operand = out.dtype === type ? out : context.temporary(out.shape, type);
  before.push(lowerCopy(base, sum, context));
  const count = sizeOf(index.shape);
  const args = context.args("scatterAdd", {
    result: 0,
    updates: 0,
    indices: 0,
    rows: n,
    count,
    inner,
    whole: type === "i32" ? 1 : 0,
  });
  const after = sum === out ? [] : [lowerCopy(sum, out, context)];
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(sum, addresses));
      args.set("updates", addressOf(added, addresses));
      args.set("indices", addressOf(indices, addresses));
      context.pool.run(args, outer * Math.ceil(inner / 64), sizeOf(updates.shape) * 4 < SMALL_BYTES);
    },
    ...after,
  ]);
}
