import type { Operand } from "@weft/tensor-core";
import type { LowerContext, Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import type { OpStep } from "../../lower/steps.js";
import { movingBox } from "./moving-box.js";

/** A copy out of the box. */
export function lowerDynamicSlice({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [x, starts] = inputs as [Operand, Operand];
  const [out] = outputs as [Operand];
  const { box, move } = movingBox(x, out.shape, attrs.axes as number[], starts, context);
  const copy = lowerCopy(box, out, context);
  return (addresses) => {
    move(addresses);
    copy(addresses);
  };
}
