import type { Operand } from "@weft/tensor-core";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import type { OpStep } from "../../lower/steps.js";
import { movingBox } from "./moving-box.js";

/** A copy of the base, unless the result lies where it does, then one into the box. */
export function lowerUpdate({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [base, value, starts] = inputs as [Operand, Operand, Operand];
  const [out] = outputs as [Operand];
  const { box, move } = movingBox(out, value.shape, attrs.axes as number[], starts, context);
  const whole = lowerCopy(base, out, context);
  const part = lowerCopy(value, box, context);
  return (addresses) => {
    move(addresses);
    if (addressOf(base, addresses) !== addressOf(out, addresses)) whole(addresses);
    part(addresses);
  };
}
