import { reshape, slice, softmaxCrossEntropy, type Tensor } from "@weft/tensor-core";

/** The mean over labels [B, T] that are no −100 of −log p(label), of logits [B, T, V] one step before. */
export function nextTokenLoss(logits: Tensor, labels: Tensor): Tensor {
  const [batch, length, vocabulary] = logits.shape as [number, number, number];
  const shifted = reshape(slice(logits, [undefined, [0, length - 1]]), [batch * (length - 1), vocabulary]);
  return softmaxCrossEntropy(shifted, reshape(slice(labels, [undefined, [1, length]]), [-1]));
}
