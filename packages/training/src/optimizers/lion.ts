import { add, mul, sign, sub, type Tensor, zeros } from "@weft/tensor-core";
import type { Now, Optimizer } from "./optimizer.js";

/** Constants of Lion. */
export type LionHyper = { readonly beta1: number; readonly beta2: number; readonly weightDecay: number };

/** One step of Lion on a moment in f32. */
export function lionStep(
  { param, grad, moment }: { readonly param: Tensor; readonly grad: Tensor; readonly moment: Tensor },
  { beta1, beta2, weightDecay }: LionHyper,
  { lr }: Now,
): { readonly param: Tensor; readonly moment: Tensor } {
  const decayed = weightDecay === 0 ? param : mul(param, sub(1, mul(lr, weightDecay)));
  const direction = sign(add(mul(moment, beta1), mul(grad, 1 - beta1)));
  return { param: sub(decayed, mul(direction, lr)), moment: add(mul(moment, beta2), mul(grad, 1 - beta2)) };
}

/**
 * θ ← θ·(1 - ηλ) - η·sign(β₁m + (1-β₁)g); m ← β₂m + (1-β₂)g.
 * @see Chen et al. 2023
 */
export const LION: Optimizer<LionHyper> = {
  name: "Lion",
  defaults: { beta1: 0.9, beta2: 0.99, weightDecay: 0 },
  state: ({ shape }) => ({ exp_avg: zeros(shape) }),
  step(param, grad, state, hyper, now) {
    const next = lionStep({ param, grad, moment: state["exp_avg"]! }, hyper, now);
    return { param: next.param, state: { exp_avg: next.moment } };
  },
};
