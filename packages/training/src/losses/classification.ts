import { cast, full, notEqual, reshape, square, sub, sum, type Tensor } from "@weft/tensor-core";
import { crossEntropySum, type LossSum } from "./causal.js";
import { IGNORE_INDEX } from "./next-tokens.js";

/**
 * Cross-entropy of classes: of sequences (logits [batch, C], labels i32 [batch]) or of tokens (logits [batch, length, C], labels i32 [batch, length]); labels -100 do not
 * count.
 * @see transformers `loss/loss_utils.py` ForSequenceClassificationLoss, ForTokenClassification
 */
export function classificationLoss(logits: Tensor, labels: Tensor, smoothing = 0): LossSum {
  const flat = reshape(labels, [labels.size]);
  return {
    sum: crossEntropySum(reshape(logits, [labels.size, logits.shape.at(-1)!]), flat, smoothing),
    weight: sum(cast(notEqual(flat, IGNORE_INDEX), "f32")),
  };
}

/** Σ (x - y)² and the number of elements: the mean of squares, as torch `F.mse_loss`. */
export function mseLoss(values: Tensor, targets: Tensor): LossSum {
  return { sum: sum(square(sub(cast(values, "f32"), reshape(cast(targets, "f32"), values.shape)))), weight: full([], values.size) };
}
