import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { iota } from "../ops/create.js";
import { add, div, equal, exp, greaterEqual, less, logicalAnd, logicalOr, mul, notEqual, sub, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { broadcastTo, reshape } from "../ops/movement.js";
import { logSumExp, sum } from "../ops/reduce.js";

/** Where a row has its label, [n, V]: compared in place of a gather, so that it is part of the program over the rows. */
const hits = (x: Tensor, labels: Tensor): Tensor => equal(iota(x.shape, 1), broadcastTo(reshape(labels, [-1, 1]), x.shape));

/** NaN for a row whose label is no class (nor the one that is ignored), else 0, [n]: a wrong label must not go unnoticed. */
function outOfRange(labels: Tensor, classes: number, ignore: number): Tensor {
  const known = logicalOr(equal(labels, ignore), logicalAnd(greaterEqual(labels, 0), less(labels, classes)));
  return where(known, 0, NaN);
}

/** The weight of each row in the mean, [n]: 1 / their number, 0 for those that are ignored; NaN if all are. */
function shares(labels: Tensor, ignore: number): Tensor {
  const kept = cast(notEqual(labels, ignore), "f32");
  return div(kept, sum(kept));
}

/**
 * `softmaxCrossEntropy`: mean over the rows whose label is not `ignore` of logΣexp(xᵢ) - xᵢ[labelᵢ]; NaN if all are ignored, as torch, and if a label is
 * no class (torch throws; a GPU cannot).
 *
 * Rows are weighted before they are summed up: loss and gradient (softmax - one-hot)·weight then are one program over the rows, which
 * writes nothing of the size [n, V] but the gradient.
 *
 * Inputs logits [n, V], labels [n] i32. Attribute `ignore` (torch's ignore_index, -100). Computed in f32.
 * @see torch F.cross_entropy
 */
const SOFTMAX_CROSS_ENTROPY: Composite = {
  name: "softmaxCrossEntropy",
  decompose: ([logits, labels], attrs) => {
    const x = cast(logits!, "f32");
    const atLabel = sum(where(hits(x, labels!), x, 0), { axes: [1] });
    const wrong = outOfRange(labels!, x.shape[1]!, attrs.ignore as number);
    return [sum(mul(shares(labels!, attrs.ignore as number), sub(add(logSumExp(x, { axes: [1] }), wrong), atLabel)))];
  },
  vjp: ([logits, labels], attrs, _, [dy]) => {
    const x = cast(logits!, "f32");
    const ignore = attrs.ignore as number;
    const weight = reshape(add(mul(shares(labels!, ignore), dy!), outOfRange(labels!, x.shape[1]!, ignore)), [-1, 1]);
    const probabilities = exp(sub(x, logSumExp(x, { axes: [1], keepDims: true })));
    return [cast(mul(sub(probabilities, cast(hits(x, labels!), "f32")), weight), logits!.dtype), undefined];
  },
};

/** @see SOFTMAX_CROSS_ENTROPY */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor, ignore = -100): Tensor {
  return callComposite(SOFTMAX_CROSS_ENTROPY, [logits, labels], { ignore })[0]!;
}
