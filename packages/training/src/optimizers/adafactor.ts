import {
  add,
  div,
  maximum,
  mean,
  minimum,
  mul,
  pow,
  reciprocal,
  reshape,
  rsqrt,
  sqrt,
  square,
  sub,
  type Tensor,
  zeros,
} from "@weft/tensor-core";
import { isFactored, rms } from "./factored.js";
import type { Optimizer } from "./optimizer.js";

/** Constants of transformers' Adafactor. */
export type AdafactorHyper = {
  /** Added to squared gradients. */
  readonly eps1: number;
  /** The least root mean square of a parameter that its rate is scaled by. */
  readonly eps2: number;
  /** Updates with a larger root mean square are scaled down to it. */
  readonly clipThreshold: number;
  /** β₂ of step t is 1 - t^decayRate. */
  readonly decayRate: number;
  /** Decay of a first moment; null for none. */
  readonly beta1: number | null;
  readonly weightDecay: number;
  /** Multiply the rate by the root mean square of the parameter. */
  readonly scaleParameter: boolean;
  /** Take min(1e-2, 1/√t) for the rate, and not what a schedule gives. */
  readonly relativeStep: boolean;
  /** With `relativeStep`: min(1e-6·t, 1/√t). */
  readonly warmupInit: boolean;
};

/**
 * With β = 1 - t^decayRate and u = g² + ε₁: of matrices R ← βR + (1-β)·mean of the rows of u, C the same of columns, and x = g·rsqrt(R / mean R)·rsqrt(C); else
 * V ← βV + (1-β)u and x = g·rsqrt(V). x ← x / max(1, rms(x) / clipThreshold); θ ← θ·(1 - λη) - ηx, where η is scaled by max(ε₂, rms θ) if asked for.
 * @see Shazeer & Stern 2018; transformers `optimization.py` Adafactor
 */
export const ADAFACTOR: Optimizer<AdafactorHyper> = {
  name: "Adafactor",
  defaults: {
    eps1: 1e-30,
    eps2: 1e-3,
    clipThreshold: 1,
    decayRate: -0.8,
    beta1: null,
    weightDecay: 0,
    scaleParameter: true,
    relativeStep: true,
    warmupInit: false,
  },
  state: (param, { beta1 }) => ({
    ...(isFactored(param)
      ? { exp_avg_sq_row: zeros(param.shape.slice(0, -1)), exp_avg_sq_col: zeros([...param.shape.slice(0, -2), param.shape.at(-1)!]) }
      : { exp_avg_sq: zeros(param.shape) }),
    ...(beta1 !== null && { exp_avg: zeros(param.shape) }),
  }),
  step(param, grad, state, hyper, { lr, step }) {
    const rate = hyper.relativeStep ? minimum(hyper.warmupInit ? mul(step, 1e-6) : 1e-2, rsqrt(step)) : lr;
    const scaled = hyper.scaleParameter ? mul(rate, maximum(rms(param), hyper.eps2)) : rate;
    const fresh = pow(step, hyper.decayRate);
    const average = (old: Tensor, now: Tensor): Tensor => add(mul(old, sub(1, fresh)), mul(now, fresh));
    const squared = add(square(grad), hyper.eps1);
    const next: { [name: string]: Tensor } = {};
    let update: Tensor;
    if (isFactored(param)) {
      const row = average(state["exp_avg_sq_row"]!, mean(squared, { axes: [-1] }));
      const column = average(state["exp_avg_sq_col"]!, mean(squared, { axes: [-2] }));
      Object.assign(next, { exp_avg_sq_row: row, exp_avg_sq_col: column });
      const ofRows = rsqrt(div(row, mean(row, { axes: [-1], keepDims: true })));
      update = mul(mul(reshape(ofRows, [...row.shape, 1]), reshape(rsqrt(column), [...column.shape.slice(0, -1), 1, -1])), grad);
    } else {
      next["exp_avg_sq"] = average(state["exp_avg_sq"]!, squared);
      update = mul(reciprocal(sqrt(next["exp_avg_sq"])), grad);
    }
    update = mul(div(update, maximum(div(rms(update), hyper.clipThreshold), 1)), scaled);
    const { beta1 } = hyper;
    if (beta1 !== null) update = next["exp_avg"] = add(mul(state["exp_avg"]!, beta1), mul(update, 1 - beta1));
    const decayed = hyper.weightDecay === 0 ? param : sub(param, mul(param, mul(scaled, hyper.weightDecay)));
    return { param: sub(decayed, update), state: next };
  },
};
