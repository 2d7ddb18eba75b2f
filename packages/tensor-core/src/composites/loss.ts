import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { iota } from "../ops/create.js";
import { cast } from "../ops/cast.js";
import { div, equal, exp, greaterEqual, less, logicalAnd, mul, notEqual, sub, where } from "../ops/elementwise.js";
import { broadcastTo, reshape } from "../ops/movement.js";
import { logSumExp, sum } from "../ops/reduce.js";
import type { IndexRule } from "../primitives/primitive.js";
import { vjp } from "../transforms/grad.js";

/** Where a row has its label, [n, V]: compared in place of a gather, so that it is part of the program over the rows. */
const hits = (x: Tensor, labels: Tensor): Tensor => equal(iota(x.shape, 1), broadcastTo(reshape(labels, [-1, 1]), x.shape));

/** The weight of each row in the mean, [n]: 1 / their number, 0 for those that are ignored; NaN if all are, and where the label is no class. */
function shares(labels: Tensor, classes: number, ignore: number): Tensor {
  const kept = notEqual(labels, ignore);
  const known = logicalAnd(greaterEqual(labels, 0), less(labels, classes));
  return div(where(kept, where(known, 1, NaN), 0), sum(cast(kept, "f32")));
}

/** Labels are the second input of both. */
const indices: IndexRule = ([logits], attrs) => [
  { input: 1, name: "labels", least: 0, most: logits!.shape[1]! - 1, besides: attrs.ignore as number },
];

/**
 * `softmaxCrossEntropyBackward`: the gradient of the loss with respect to the logits, (exp(x - L) - one-hot(label))·weight·dy, where L is each row's
 * logarithm of the sum; 0 in rows that are ignored, NaN in those whose label is no class.
 *
 * Inputs logits [n, V], labels [n] i32, L [n] f32, dy [] f32; attribute `ignore`. The result is like the logits.
 */
const SOFTMAX_CROSS_ENTROPY_BACKWARD: Composite = {
  name: "softmaxCrossEntropyBackward",
  indices,
  decompose: ([logits, labels, logs, dy], attrs) => {
    const x = cast(logits!, "f32");
    const ignore = attrs.ignore as number;
    const perRow = (t: Tensor): Tensor => reshape(t, [-1, 1]);
    const weight = perRow(mul(shares(labels!, x.shape[1]!, ignore), dy!));
    const slope = mul(sub(exp(sub(x, perRow(logs!))), cast(hits(x, labels!), "f32")), weight);
    return [cast(where(perRow(notEqual(labels!, ignore)), slope, 0), logits!.dtype)];
  },
};

/**
 * `softmaxCrossEntropy`: mean over the rows whose label is not `ignore` of logΣexp(xᵢ) - xᵢ[labelᵢ]; NaN if all are ignored, as torch, and if a label is
 * no class (torch throws; here devices that check indices do). Rows that are ignored count for nothing, whatever they hold.
 *
 * Rows are weighted before they are summed up: loss and gradient then are one program over the rows, which writes nothing of the size [n, V] but the
 * gradient.
 *
 * Inputs logits [n, V], labels [n] i32. Attribute `ignore` (torch's ignore_index, -100). Computed in f32. Outputs the loss [] and, for the gradient,
 * each row's logΣexp(xᵢ), [n], 0 if it is ignored.
 * @see torch F.cross_entropy
 */
const SOFTMAX_CROSS_ENTROPY: Composite = {
  name: "softmaxCrossEntropy",
  indices,
  decompose: ([logits, labels], attrs) => {
    const x = cast(logits!, "f32");
    const ignore = attrs.ignore as number;
    const kept = notEqual(labels!, ignore);
    const logs = where(kept, logSumExp(x, { axes: [1] }), 0);
    const atLabel = sum(where(hits(x, labels!), x, 0), { axes: [1] });
    return [sum(mul(where(kept, sub(logs, atLabel), 0), shares(labels!, x.shape[1]!, ignore))), logs];
  },
  vjp: (inputs, attrs, [, logs], [dy, dLogs]) => {
    // Only a gradient of the gradient comes by way of the second output.
    if (dLogs) return vjp(SOFTMAX_CROSS_ENTROPY.decompose(inputs, attrs), [dy, dLogs], inputs);
    return dy ? [callComposite(SOFTMAX_CROSS_ENTROPY_BACKWARD, [...inputs, logs!, dy], attrs)[0]] : [];
  },
};

/**
 * log p(label) of each row, xᵢ[labelᵢ] - logΣexp(xᵢ), in f32, [n]; a label that is no class counts as one whose logit is 0.
 * @param logits [n, V]
 * @param labels i32 [n]
 */
export function labelLogProbs(logits: Tensor, labels: Tensor): Tensor {
  const x = cast(logits, "f32");
  return sub(sum(where(hits(x, labels), x, 0), { axes: [1] }), logSumExp(x, { axes: [1] }));
}

/** @see SOFTMAX_CROSS_ENTROPY */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor, ignore = -100): Tensor {
  return callComposite(SOFTMAX_CROSS_ENTROPY, [logits, labels], { ignore })[0]!;
}
