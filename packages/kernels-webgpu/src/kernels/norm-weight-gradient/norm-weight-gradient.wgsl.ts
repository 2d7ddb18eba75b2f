import { isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { columnSums, type Terms } from "../column-sum/column-sum.wgsl.js";
import type { CompositeKernel } from "../kernel.js";

/**
 * `normWeightGradient`: dw and db as sums over the rows. One or two kernels and no product as large as x, where the decomposition makes one to sum it up.
 */
export const normWeightGradient: CompositeKernel = {
  claims: ({ inputs }) => inputs.every((i) => isFloat(i.dtype)),
  lower({ inputs, outputs }, context) {
    const [x, dy, scale, centre] = inputs as [Operand, Operand, Operand, Operand | undefined];
    const terms: Terms = (shader, row, column) => {
      const load = (o: Operand, at: string): string => shader.input(o).load(`${shader.u32(o.offset)} + ${at}`);
      const at = `${row} * ${shader.u32(outputs[0]!.shape[0]!)} + ${column}`;
      return {
        text: `let d = ${load(dy, at)};`,
        values: [`d * (${load(x, at)}${centre ? ` - ${load(centre, row)}` : ""}) * ${load(scale, row)}`, "d"],
      };
    };
    return columnSums("normWeightGradient", sizeOf(scale.shape), terms, outputs, context);
  },
};
