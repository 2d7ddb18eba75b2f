import { concat, div, full, iota, matmul, maximum, mul, reshape, sqrt, square, sub, sum, swapLast, type Tensor } from "@weft/tensor-core";
import { crossEntropySum, type LossSum } from "./causal.js";

/** Rows of length 1. */
const unitRows = (x: Tensor): Tensor => div(x, maximum(sqrt(sum(square(x), { axes: [1], keepDims: true })), 1e-12));

/**
 * InfoNCE over a batch, as sentence-transformers' MultipleNegativesRankingLoss: each anchor [n, d] is to be nearest to its positive among all positives [n, d] and
 * negatives [m, d] of the batch: cross-entropy of scale·cosine.
 * @see Henderson et al. 2017; sentence-transformers `losses/MultipleNegativesRankingLoss.py`
 */
export function multipleNegativesRankingLoss(
  anchors: Tensor,
  positives: Tensor,
  { scale = 20, negatives }: { readonly scale?: number; readonly negatives?: Tensor | undefined } = {},
): LossSum {
  const [n] = anchors.shape as [number];
  const candidates = unitRows(negatives ? concat([positives, negatives]) : positives);
  const scores = mul(matmul(unitRows(anchors), swapLast(candidates)), scale);
  return { sum: crossEntropySum(scores, iota([n])), weight: full([], n) };
}

/** Squared difference of the cosine of two vectors and its target: sentence-transformers' CosineSimilarityLoss. @param targets f32 [n] */
export function cosineSimilarityLoss(a: Tensor, b: Tensor, targets: Tensor): LossSum {
  const cosine = sum(mul(unitRows(a), unitRows(b)), { axes: [1] });
  return { sum: sum(square(sub(cosine, reshape(targets, cosine.shape)))), weight: full([], cosine.size) };
}
