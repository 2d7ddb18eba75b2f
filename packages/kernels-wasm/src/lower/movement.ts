import type { Operand } from "@weft/tensor-core";
import type { LowerContext, Run } from "./context.js";
import { lowerCopy, lowerFill } from "./fused.js";
import type { OpStep } from "./steps.js";

/** A box of a contiguous result: `size` elements per axis from `start`. */
function box(out: Operand, start: readonly number[], size: readonly number[]): Operand {
  return { ...out, shape: size, offset: out.offset + start.reduce((sum, s, i) => sum + s * out.strides[i]!, 0) };
}

/** Each input is copied to its place. */
export function lowerConcat({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [out] = outputs as [Operand];
  const axis = attrs.axis as number;
  let at = 0;
  const runs = inputs.map((x) => {
    const run = lowerCopy(
      x,
      box(
        out,
        x.shape.map((_, i) => (i === axis ? at : 0)),
        x.shape,
      ),
      context,
    );
    at += x.shape[axis]!;
    return run;
  });
  return (addresses) => runs.forEach((run) => run(addresses));
}

/** The constant everywhere, then the input over it. */
export function lowerPad({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  const low = attrs.low as readonly number[];
  const fill = lowerFill(attrs.value as number, out, context);
  const copy = lowerCopy(x, box(out, low, x.shape), context);
  return (addresses) => {
    fill(addresses);
    copy(addresses);
  };
}
