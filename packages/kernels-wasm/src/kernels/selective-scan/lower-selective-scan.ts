import { type Operand, sizeOf } from "@weft/tensor-core";
import { type CompositeStep, type LowerContext, place, type Run } from "../../lower/context.js";
import { SMALL_BYTES } from "../../lower/steps.js";

/** Channels of an item. @see selective-scan.wasm.ts */
const CHANNELS = 16;

/** `selectiveScan` in one pass over the steps: states of more than one step do not exist. */
export function lowerSelectiveScan({ inputs, outputs }: CompositeStep, context: LowerContext): Run {
  const [x, delta, a, b, c, d, before] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand, Operand];
  const [y, after] = outputs as [Operand, Operand];
  const operands = { x, delta, a, b, c, d, before, y, after };
  const [batch, length, channels] = x.shape as [number, number, number];
  const states = a.shape[1]!;
  const addresses = { x: 0, delta: 0, a: 0, b: 0, c: 0, d: 0, before: 0, y: 0, after: 0 };
  const args = context.args("selectiveScan", { ...addresses, length, channels, states });
  const items = batch * Math.ceil(channels / CHANNELS);
  const small = sizeOf(x.shape) * states * 4 < SMALL_BYTES;
  return (at) => {
    place(args, operands, at);
    context.pool.run(args, items, small);
  };
}
