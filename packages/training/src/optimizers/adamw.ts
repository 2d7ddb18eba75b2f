import { add, adamwStep, div, logBeta, exp, maximum, mul, neg, sqrt, square, sub, tanh, type Tensor, zeros } from "@weft/tensor-core";
import type { Now, Optimizer, OptimizerState, Stepped } from "./optimizer.js";

/** Constants of Adam and AdamW. */
export type AdamHyper = {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Divide by the largest second moment so far instead of the present one. */
  readonly amsgrad: boolean;
};

/** Moments before the first step. */
export const adamState = ({ shape }: Tensor, { amsgrad }: Pick<AdamHyper, "amsgrad">): OptimizerState => ({
  exp_avg: zeros(shape),
  exp_avg_sq: zeros(shape),
  ...(amsgrad && { max_exp_avg_sq: zeros(shape) }),
});

/** 1 - βᵗ as `adamwStep` computes it. */
function biasCorrection(beta: number, step: Tensor): Tensor {
  const y = mul(step, logBeta(beta));
  return mul(neg(tanh(mul(y, 0.5))), add(exp(y), 1));
}

/** One step of AdamW, with or without AMSGrad. */
export function adamStep(param: Tensor, grad: Tensor, state: OptimizerState, hyper: AdamHyper, { lr, step }: Now): Stepped {
  const { beta1, beta2, eps, weightDecay } = hyper;
  const largest = state["max_exp_avg_sq"];
  if (!largest) {
    const inputs = { p: param, g: grad, m: state["exp_avg"]!, v: state["exp_avg_sq"]!, lr, step };
    const { p, m, v } = adamwStep(inputs, { beta1, beta2, eps, weightDecay });
    return { param: p, state: { exp_avg: m, exp_avg_sq: v } };
  }
  const m = add(mul(state["exp_avg"]!, beta1), mul(grad, 1 - beta1));
  const v = add(mul(state["exp_avg_sq"]!, beta2), mul(square(grad), 1 - beta2));
  const most = maximum(largest, v);
  const denominator = add(div(sqrt(most), sqrt(biasCorrection(beta2, step))), eps);
  const decayed = mul(param, sub(1, mul(lr, weightDecay)));
  const next = sub(decayed, mul(div(lr, biasCorrection(beta1, step)), div(m, denominator)));
  return { param: next, state: { exp_avg: m, exp_avg_sq: v, max_exp_avg_sq: most } };
}

/**
 * θ ← θ·(1 - ηλ); m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; θ ← θ - η/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε); with `amsgrad` the largest v so far is under the root.
 * @see Loshchilov & Hutter 2019; torch `optim/adamw.py`
 */
export const ADAMW: Optimizer<AdamHyper> = {
  name: "AdamW",
  defaults: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, amsgrad: false },
  state: adamState,
  step: adamStep,
};
