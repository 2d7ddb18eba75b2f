import { type Operand, sizeOf } from "@weft/tensor-core";
import { type CompositeStep, type LowerContext, place, type Run } from "../../lower/context.js";
import { SMALL_BYTES } from "../../lower/steps.js";

/** Channels of an item. @see wkv.wasm.ts */
const CHANNELS = 16;

/** `wkv` in one pass over the steps, whose sums stay in registers. */
export function lowerWkv({ inputs, outputs }: CompositeStep, context: LowerContext): Run {
  const [w, u, k, v, numerator, denominator, exponent] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand, Operand];
  const [y, nextNumerator, nextDenominator, nextExponent] = outputs as [Operand, Operand, Operand, Operand];
  const operands = { w, u, k, v, numerator, denominator, exponent, y, nextNumerator, nextDenominator, nextExponent };
  const [batch, length, channels] = k.shape as [number, number, number];
  const addresses = { w: 0, u: 0, k: 0, v: 0, numerator: 0, denominator: 0, exponent: 0, y: 0 };
  const args = context.args("wkv", { ...addresses, nextNumerator: 0, nextDenominator: 0, nextExponent: 0, length, channels });
  const items = batch * Math.ceil(channels / CHANNELS);
  const small = sizeOf(k.shape) * 4 < SMALL_BYTES;
  return (at) => {
    place(args, operands, at);
    context.pool.run(args, items, small);
  };
}
