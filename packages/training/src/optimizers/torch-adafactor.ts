import { add, div, maximum, mean, minimum, mul, pow, rsqrt, square, sub, type Tensor, zeros } from "@weft/tensor-core";
import { isFactored, rms } from "./factored.js";
import type { Optimizer } from "./optimizer.js";

/** Constants of torch's Adafactor. */
export type TorchAdafactorHyper = {
  /** The least variance is the square of this; null for the spacing of f32 about 1. */
  readonly eps1: number | null;
  /** The least root mean square of a parameter that its rate is scaled by. */
  readonly eps2: number;
  /** 1 - β₂ of step t is t^beta2Decay. */
  readonly beta2Decay: number;
  /** Updates with a larger root mean square are scaled down to it. */
  readonly d: number;
  readonly weightDecay: number;
};

/** `torch.finfo(torch.float32).eps` */
const EPSILON = 2 ** -23;

/**
 * ρ = min(η, 1/√t), α = max(ε₂, rms θ)·ρ, θ ← θ·(1 - ηλ); of matrices R, C: averages of g² over columns and rows, V = R·C / max(mean R, ε₁), else V of g² itself;
 * x = g / √max(V, ε₁²); θ ← θ - α·x / max(1, rms(x)/d). It differs from transformers' in where ε stands and in what the decay is scaled by.
 * @see Shazeer & Stern 2018; torch `optim/_adafactor.py`
 */
export const TORCH_ADAFACTOR: Optimizer<TorchAdafactorHyper> = {
  name: "Adafactor (torch)",
  defaults: { eps1: null, eps2: 1e-3, beta2Decay: -0.8, d: 1, weightDecay: 0 },
  state: (param) =>
    isFactored(param)
      ? { row_var: zeros([...param.shape.slice(0, -1), 1]), col_var: zeros([...param.shape.slice(0, -2), 1, param.shape.at(-1)!]) }
      : { variance: zeros(param.shape) },
  step(param, grad, state, { eps1, eps2, beta2Decay, d, weightDecay }, { lr, step }) {
    const least = eps1 ?? EPSILON;
    const fresh = pow(step, beta2Decay);
    const average = (old: Tensor, now: Tensor): Tensor => add(old, mul(sub(now, old), fresh));
    const alpha = mul(maximum(rms(param), eps2), minimum(lr, rsqrt(step)));
    const decayed = weightDecay === 0 ? param : mul(param, sub(1, mul(lr, weightDecay)));
    const next: { [name: string]: Tensor } = {};
    let variance: Tensor;
    if (isFactored(param)) {
      const row = (next["row_var"] = average(state["row_var"]!, mean(square(grad), { axes: [-1], keepDims: true })));
      const column = (next["col_var"] = average(state["col_var"]!, mean(square(grad), { axes: [-2], keepDims: true })));
      variance = div(mul(row, column), maximum(mean(row, { axes: [-2], keepDims: true }), least));
    } else variance = next["variance"] = average(state["variance"]!, square(grad));
    const update = mul(rsqrt(maximum(variance, least * least)), grad);
    return { param: sub(decayed, mul(update, div(alpha, maximum(div(rms(update), d), 1)))), state: next };
  },
};
