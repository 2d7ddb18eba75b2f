import { adamStep, type AdamHyper } from "./adamw.js";
import { dequantizeState, eightBitZeros, quantizeState, SIGNED, UNSIGNED } from "./eight-bit-state.js";
import type { Optimizer } from "./optimizer.js";

/** Constants of AdamW in eight bits. */
export type Adamw8bitHyper = Omit<AdamHyper, "amsgrad">;

/**
 * AdamW whose moments are kept in eight bits: codes of the signed and of the unsigned dynamic map, and an absmax per 256 elements. Each step computes in f32. Parameters
 * of fewer than 4096 elements keep f32 moments.
 * @see Dettmers et al. 2022; bitsandbytes `optim/adamw.py` AdamW8bit
 */
export const ADAMW_8BIT: Optimizer<Adamw8bitHyper> = {
  name: "AdamW (8 bit)",
  defaults: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 },
  state(param) {
    const { codes, absmax } = eightBitZeros(param);
    return { state1: codes, state2: codes, ...(absmax && { absmax1: absmax, absmax2: absmax }) };
  },
  step(param, grad, state, hyper, now) {
    const first = { codes: state["state1"]!, ...(state["absmax1"] && { absmax: state["absmax1"] }) };
    const second = { codes: state["state2"]!, ...(state["absmax2"] && { absmax: state["absmax2"] }) };
    const moments = { exp_avg: dequantizeState(first, SIGNED), exp_avg_sq: dequantizeState(second, UNSIGNED) };
    const next = adamStep(param, grad, moments, { ...hyper, amsgrad: false }, now);
    const m = quantizeState(next.state["exp_avg"]!, first, SIGNED);
    const v = quantizeState(next.state["exp_avg_sq"]!, second, UNSIGNED);
    const scales = m.absmax && v.absmax && { absmax1: m.absmax, absmax2: v.absmax };
    return { param: next.param, state: { state1: m.codes, state2: v.codes, ...scales } };
  },
};
