import { type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import { converted, type OpStep, sequence, SMALL_BYTES } from "../../lower/steps.js";
import { checkIndices } from "../index-report.js";

/** Sums in f32; other dtypes than f32 by way of it. Integers have no kernel: f32 would lose digits. */
export function lowerScatterAdd({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [base, index, updates] = inputs as [Operand, Operand, Operand];
  const [out] = outputs as [Operand];
  if (base.dtype === "i32") return undefined;
  const [outer, n, inner] = around(base.shape, attrs.axis as number);
  const before: Run[] = [];
  const indices = converted("i32", index, context, before);
  const added = converted("f32", updates, context, before);
  const sum: Operand = out.dtype === "f32" ? out : context.temporary(out.shape, "f32");
  before.push(lowerCopy(base, sum, context));
  const count = sizeOf(index.shape);
  const args = context.args("scatterAdd", { badIndex: 0, failed: 0, result: 0, updates: 0, indices: 0, rows: n, count, inner });
  const after = sum === out ? [] : [lowerCopy(sum, out, context)];
  return sequence([
    ...before,
    (addresses) => {
      args.set("result", addressOf(sum, addresses));
      args.set("updates", addressOf(added, addresses));
      args.set("indices", addressOf(indices, addresses));
      context.pool.run(args, outer * Math.ceil(inner / 64), sizeOf(updates.shape) * 4 < SMALL_BYTES);
      checkIndices("scatterAdd", args, n);
    },
    ...after,
  ]);
}
