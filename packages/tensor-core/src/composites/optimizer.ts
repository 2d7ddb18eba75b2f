import { callComposite, type Composite } from "../composite.js";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { add, div, exp, minimum, mul, neg, sqrt, square, sub, tanh } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { stack } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { sizeOf } from "../shape.js";

/**
 * 1 - βᵗ = -tanh(y/2)·(eʸ + 1) with y = t·ln β, for a step t that is a tensor. Both factors are exact to some units in the last place, also for βᵗ near 1,
 * where the difference would lose all the digits that they share.
 */
function biasCorrection(beta: number, step: Tensor): Tensor {
  const y = mul(step, logBeta(beta));
  return mul(neg(tanh(mul(y, 0.5))), add(exp(y), 1));
}

/** ln β, finite for β = 0 too; what it is multiplied with to give βᵗ is 0 then. */
export const logBeta = (beta: number): number => Math.log(Math.max(beta, Number.MIN_VALUE));

/**
 * `adamwStep`: one step of AdamW (torch's: decoupled decay first, bias-corrected).
 * p ← p·(1 - lr·decay); m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; p ← p - lr/(1-β₁ᵗ) · m / (√(v/(1-β₂ᵗ)) + eps).
 *
 * Inputs p, g, m, v of one shape, lr [] and step t [] (f32 scalars, so that schedules do not recompile). Outputs p, m, v.
 * @see Loshchilov & Hutter 2019; torch `optim/adamw.py`
 */
const ADAMW_STEP: Composite = {
  name: "adamwStep",
  overwrites: [0, 1, 2, 3],
  flops: ([p]) => 15 * sizeOf(p!.shape),
  decompose: ([p, g, m, v, lr, step], attrs) => {
    const [beta1, beta2, eps, decay] = [attrs.beta1, attrs.beta2, attrs.eps, attrs.weightDecay] as number[];
    const m2 = add(mul(m!, beta1!), mul(g!, 1 - beta1!));
    const v2 = add(mul(v!, beta2!), mul(mul(g!, g!), 1 - beta2!));
    const denominator = add(div(sqrt(v2), sqrt(biasCorrection(beta2!, step!))), eps!);
    const decayed = mul(p!, sub(1, mul(lr!, decay!)));
    return [sub(decayed, mul(div(lr!, biasCorrection(beta1!, step!)), div(m2, denominator))), m2, v2];
  },
};

/** The constants of AdamW: β₁, β₂, ε and the decay of weights. */
export interface AdamwAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** @see ADAMW_STEP */
export function adamwStep(
  inputs: { p: Tensor; g: Tensor; m: Tensor; v: Tensor; lr: Tensor; step: Tensor },
  attrs: AdamwAttrs,
): { p: Tensor; m: Tensor; v: Tensor } {
  const [p, m, v] = callComposite(ADAMW_STEP, [inputs.p, inputs.g, inputs.m, inputs.v, inputs.lr, inputs.step], { ...attrs }) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  return { p, m, v };
}

/**
 * `sgdStep`: one step of stochastic gradient descent (torch's, without dampening).
 * g ← g + decay·p; with a momentum μ > 0: b ← μ·b + g, and g ← g + μ·b (`nesterov`) or g ← b; p ← p - lr·g.
 *
 * Inputs p, g of one shape, lr [] (f32 scalar) and, with momentum, b like p: zeros before the first step. Outputs p and b.
 * @see Sutskever et al. 2013; torch `optim/sgd.py`
 */
const SGD_STEP: Composite = {
  name: "sgdStep",
  decompose: ([p, g, lr, buffer], attrs) => {
    const [momentum, decay] = [attrs.momentum, attrs.weightDecay] as [number, number];
    const decayed = decay === 0 ? g! : add(g!, mul(p!, decay));
    if (!buffer) return [sub(p!, mul(lr!, decayed))];
    const next = add(mul(buffer, momentum), decayed);
    return [sub(p!, mul(lr!, attrs.nesterov ? add(decayed, mul(next, momentum)) : next)), next];
  },
};

/** The constants of SGD: momentum, Nesterov's variant, and the decay of weights. */
export interface SgdAttrs {
  /** 0 for none. */
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/**
 * `buffer` is the momentum buffer: zeros before the first step, and not used without momentum.
 * @returns p and, with momentum, the next buffer
 * @throws ConfigError for `nesterov` without momentum, and for momentum without a buffer
 * @see SGD_STEP
 */
export function sgdStep(
  { p, g, lr, buffer }: { p: Tensor; g: Tensor; lr: Tensor; buffer?: Tensor | undefined },
  attrs: SgdAttrs,
): { p: Tensor; buffer?: Tensor } {
  const { momentum, nesterov } = attrs;
  if (momentum === 0) {
    if (nesterov) throw new ConfigError("sgdStep: nesterov needs a momentum above 0, got 0", { hint: "set momentum, or nesterov: false" });
    return { p: callComposite(SGD_STEP, [p, g, lr], { ...attrs })[0]! };
  }
  if (!buffer)
    throw new ConfigError(`sgdStep: momentum ${momentum} needs a buffer, none was given`, { hint: "pass zeros at the first step" });
  const [next, moved] = callComposite(SGD_STEP, [p, g, lr, buffer], { ...attrs }) as [Tensor, Tensor];
  return { p: next, buffer: moved };
}

/** `globalNorm`: √Σ x² over all elements of all inputs, in f32. Inputs: one float tensor or more, of any shapes. Output []. */
const GLOBAL_NORM: Composite = {
  name: "globalNorm",
  flops: (inputs) => inputs.reduce((sum, x) => sum + 2 * sizeOf(x.shape), 0),
  decompose: (inputs) => [sqrt(sum(stack(inputs.map((x) => sum(square(cast(x, "f32")))))))],
};

/** @see GLOBAL_NORM */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 0) throw new ShapeError("globalNorm: no tensors given");
  return callComposite(GLOBAL_NORM, tensors)[0]!;
}

/**
 * `clipByGlobalNorm`: all tensors times min(1, maxNorm / (norm + 1e-6)), where norm is that of all of them together.
 *
 * Inputs: float tensors. Attribute `maxNorm`. Outputs: as many tensors of the same shapes and dtypes, then norm [].
 * @see Pascanu et al. 2013; torch `nn.utils.clip_grad_norm_`
 */
const CLIP_BY_GLOBAL_NORM: Composite = {
  name: "clipByGlobalNorm",
  decompose: (inputs, attrs) => {
    const norm = globalNorm(inputs);
    const factor = minimum(div(attrs.maxNorm as number, add(norm, 1e-6)), 1);
    return [...inputs.map((x) => cast(mul(x, factor), x.dtype)), norm];
  },
};

/** @see CLIP_BY_GLOBAL_NORM @throws ConfigError if maxNorm is not positive */
export function clipByGlobalNorm(tensors: readonly Tensor[], maxNorm: number): { tensors: Tensor[]; norm: Tensor } {
  if (!(maxNorm > 0)) throw new ConfigError(`clipByGlobalNorm: maxNorm must be above 0, got ${maxNorm}`);
  const results = callComposite(CLIP_BY_GLOBAL_NORM, tensors, { maxNorm });
  return { tensors: results.slice(0, -1), norm: results.at(-1)! };
}
