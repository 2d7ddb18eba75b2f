import { add, mul } from "@weft/tensor-core";
import { type AdamHyper, adamState, adamStep } from "./adamw.js";
import type { Optimizer } from "./optimizer.js";

/**
 * AdamW whose decay is part of the gradient: g ← g + λθ, which the moments then see.
 * @see Kingma & Ba 2015; torch `optim/adam.py`
 */
export const ADAM: Optimizer<AdamHyper> = {
  name: "Adam",
  defaults: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, amsgrad: false },
  state: adamState,
  step(param, grad, state, hyper, now) {
    const coupled = hyper.weightDecay === 0 ? grad : add(grad, mul(param, hyper.weightDecay));
    return adamStep(param, coupled, state, { ...hyper, weightDecay: 0 }, now);
  },
};
