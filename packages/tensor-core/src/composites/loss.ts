import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { iota } from "../ops/create.js";
import { add, div, equal, exp, mul, notEqual, pow, sqrt, sub, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { broadcastTo, reshape } from "../ops/movement.js";
import { logSumExp, sum } from "../ops/reduce.js";

/** The entry of each row at its label: Σ_v [v = label]·x, one reduction instead of a gather. */
function atLabel(x: Tensor, labels: Tensor): Tensor {
  const hit = equal(iota(x.shape, 1), broadcastTo(reshape(labels, [-1, 1]), x.shape));
  return sum(where(hit, x, 0), { axes: [1] });
}

/**
 * `softmaxCrossEntropy`: mean over the rows whose label is not `ignore` of logΣexp(xᵢ) - xᵢ[labelᵢ]; NaN if all are ignored, as torch.
 *
 * Inputs logits [n, V], labels [n] i32. Attribute `ignore` (torch's ignore_index, -100). Computed in f32.
 * @see torch F.cross_entropy
 */
const SOFTMAX_CROSS_ENTROPY: Composite = {
  name: "softmaxCrossEntropy",
  decompose: ([logits, labels], attrs) => {
    const x = cast(logits!, "f32");
    const kept = cast(notEqual(labels!, attrs.ignore as number), "f32");
    const each = sub(logSumExp(x, { axes: [1] }), atLabel(x, labels!));
    return [div(sum(mul(each, kept)), sum(kept))];
  },
  // (softmax - one-hot) · kept / count, without going back through the maximum.
  vjp: ([logits, labels], attrs, _, [dy]) => {
    const x = cast(logits!, "f32");
    const kept = cast(notEqual(labels!, attrs.ignore as number), "f32");
    const weight = reshape(div(mul(kept, dy!), sum(kept)), [-1, 1]);
    const probabilities = exp(sub(x, logSumExp(x, { axes: [1], keepDims: true })));
    const hit = equal(iota(x.shape, 1), broadcastTo(reshape(labels!, [-1, 1]), x.shape));
    return [cast(mul(sub(probabilities, cast(hit, "f32")), weight), logits!.dtype), undefined];
  },
};

/** @see SOFTMAX_CROSS_ENTROPY */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor, ignore = -100): Tensor {
  return callComposite(SOFTMAX_CROSS_ENTROPY, [logits, labels], { ignore })[0]!;
}

/**
 * `adamwStep`: one step of AdamW (torch's: decoupled decay first, bias-corrected).
 * p ← p·(1 - lr·decay); m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; p ← p - lr/(1-β₁ᵗ) · m / (√(v/(1-β₂ᵗ)) + eps).
 *
 * Inputs p, g, m, v of one shape, lr [] and step t [] (f32 scalars, so that schedules do not recompile). Outputs p, m, v.
 * @see Loshchilov & Hutter 2019; torch `optim/adamw.py`
 */
const ADAMW_STEP: Composite = {
  name: "adamwStep",
  decompose: ([p, g, m, v, lr, step], attrs) => {
    const [beta1, beta2, eps, decay] = [attrs.beta1, attrs.beta2, attrs.eps, attrs.weightDecay] as number[];
    const m2 = add(mul(m!, beta1!), mul(g!, 1 - beta1!));
    const v2 = add(mul(v!, beta2!), mul(mul(g!, g!), 1 - beta2!));
    const bias1 = sub(1, pow(beta1!, step!));
    const bias2 = sub(1, pow(beta2!, step!));
    const denominator = add(div(sqrt(v2), sqrt(bias2)), eps!);
    const decayed = mul(p!, sub(1, mul(lr!, decay!)));
    return [sub(decayed, mul(div(lr!, bias1), div(m2, denominator))), m2, v2];
  },
};

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
