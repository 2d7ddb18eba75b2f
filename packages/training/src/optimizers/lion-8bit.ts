import { dequantizeState, eightBitZeros, quantizeState, SIGNED } from "./eight-bit-state.js";
import { type LionHyper, lionStep } from "./lion.js";
import type { Optimizer } from "./optimizer.js";

/**
 * Lion whose moment is kept in eight bits: codes of the signed dynamic map and an absmax per 256 elements; f32 for parameters of fewer than 4096 elements.
 * @see bitsandbytes `optim/lion.py` Lion8bit
 */
export const LION_8BIT: Optimizer<LionHyper> = {
  name: "Lion (8 bit)",
  defaults: { beta1: 0.9, beta2: 0.99, weightDecay: 0 },
  state(param) {
    const { codes, absmax } = eightBitZeros(param);
    return { state1: codes, ...(absmax && { absmax1: absmax }) };
  },
  step(param, grad, state, hyper, now) {
    const kept = { codes: state["state1"]!, ...(state["absmax1"] && { absmax: state["absmax1"] }) };
    const next = lionStep({ param, grad, moment: dequantizeState(kept, SIGNED) }, hyper, now);
    const { codes, absmax } = quantizeState(next.moment, kept, SIGNED);
    return { param: next.param, state: { state1: codes, ...(absmax && { absmax1: absmax }) } };
  },
};
