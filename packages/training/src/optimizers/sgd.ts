import { add, ConfigError, equal, mul, sgdStep, where, zeros } from "@weft/tensor-core";
import type { Optimizer } from "./optimizer.js";

/** Constants of stochastic gradient descent. */
export type SgdHyper = {
  /** 0 for none. */
  readonly momentum: number;
  /** Share of a gradient that the buffer does not take, from the second step on. */
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
};

/**
 * g ← g + λθ; with a momentum μ > 0: b ← g in the first step, b ← μb + (1 - dampening)g in later ones, and g ← g + μb (`nesterov`) or g ← b; θ ← θ - ηg.
 * @throws ConfigError for `nesterov` with dampening or without momentum
 * @see Sutskever et al. 2013; torch `optim/sgd.py`
 */
export const SGD: Optimizer<SgdHyper> = {
  name: "SGD",
  defaults: { momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 },
  state: ({ shape }, { momentum }) => (momentum === 0 ? {} : { momentum_buffer: zeros(shape) }),
  step(param, grad, state, { momentum, dampening, nesterov, weightDecay }, { lr, step }) {
    if (nesterov && dampening !== 0)
      throw new ConfigError(`SGD: nesterov does not go with dampening, which is ${dampening}`, { hint: "set dampening to 0" });
    const decayed = weightDecay === 0 ? grad : add(grad, mul(param, weightDecay));
    const damped = dampening === 0 ? decayed : mul(decayed, where(equal(step, 1), 1, 1 - dampening));
    const attrs = { momentum, nesterov, weightDecay: 0 };
    const { p, buffer } = sgdStep({ p: param, g: momentum === 0 ? decayed : damped, lr, buffer: state["momentum_buffer"] }, attrs);
    return { param: p, state: buffer ? { momentum_buffer: buffer } : {} };
  },
};
