import {
  add,
  cast,
  concat,
  equal,
  labelLogProbs,
  logSumExp,
  mean,
  mul,
  notEqual,
  reshape,
  softmaxCrossEntropy,
  sub,
  sum,
  type Tensor,
  where,
} from "@weft/tensor-core";
import type { Headless } from "./headless.js";
import { inChunks } from "./in-chunks.js";
import { IGNORE_INDEX, nextTokens } from "./next-tokens.js";

/** How the loss of a language model is taken. */
export interface CausalLossOptions {
  /** ε: (1-ε)·nll + ε·mean over the vocabulary of -log p. */
  readonly labelSmoothingFactor?: number;
  /** Tokens whose logits exist at once; as many as have 2²³ logits if not given. */
  readonly lossChunkTokens?: number | undefined;
}

/** A loss that is not divided yet: micro-batches of any sizes add up. */
export interface LossSum {
  /** Σ over what counts, []. */
  readonly sum: Tensor;
  /** How many count, f32 []. */
  readonly weight: Tensor;
}

export const vocabularyOf = ({ hidden, head }: Headless): number => head(hidden).shape.at(-1)!;

/** Σ -log p(label) of logits [n, V], over labels that are not ignored, 0 if all are; smoothed. */
export function crossEntropySum(logits: Tensor, labels: Tensor, smoothing = 0): Tensor {
  const kept = notEqual(labels, IGNORE_INDEX);
  const count = sum(cast(kept, "f32"));
  const total = where(equal(count, 0), 0, mul(softmaxCrossEntropy(logits, labels, IGNORE_INDEX), count));
  if (smoothing === 0) return total;
  const x = cast(logits, "f32");
  const even = sum(where(kept, sub(logSumExp(x, { axes: [1] }), mean(x, { axes: [1] })), 0));
  return add(mul(total, 1 - smoothing), mul(even, smoothing));
}

/**
 * Σ over labels that are not -100 of -log p(label | tokens before), in f32, and their number. Logits are made piece by piece, and again in the backward pass.
 * @param labels i32 [batch, length], not shifted
 * @see transformers `loss/loss_utils.py` ForCausalLMLoss
 */
export function causalLoss(pass: Headless, labels: Tensor, options: CausalLossOptions = {}): LossSum {
  const { labelSmoothingFactor: smoothing = 0, lossChunkTokens: chunkTokens } = options;
  const next = nextTokens(pass.hidden, labels);
  const pieces = inChunks([next.states, next.labels], { vocabulary: vocabularyOf(pass), chunkTokens }, (states, of) =>
    crossEntropySum(pass.head(states!), of!, smoothing),
  );
  return { sum: pieces.reduce((a, b) => add(a, b)), weight: sum(cast(notEqual(next.labels, IGNORE_INDEX), "f32")) };
}

/** log p(label) of each row of logits [n, V]; 0 where the label is ignored. [n] */
const logProbs = (logits: Tensor, labels: Tensor): Tensor => where(notEqual(labels, IGNORE_INDEX), labelLogProbs(logits, labels), 0);

/** Σ log p(label) of each row of a batch, [batch], and how many labels each has, f32 [batch]. @param labels i32 [batch, length], not shifted */
export function sequenceLogProbs(pass: Headless, labels: Tensor, { lossChunkTokens: chunkTokens }: CausalLossOptions = {}): LossSum {
  const next = nextTokens(pass.hidden, labels);
  const pieces = inChunks([next.states, next.labels], { vocabulary: vocabularyOf(pass), chunkTokens }, (states, of) =>
    logProbs(pass.head(states!), of!),
  );
  const perRow = (t: Tensor): Tensor => sum(reshape(t, [next.rows, next.steps]), { axes: [1] });
  return { sum: perRow(concat(pieces)), weight: perRow(cast(notEqual(next.labels, IGNORE_INDEX), "f32")) };
}
