import { add, cast, exp, logSumExp, mul, notEqual, stopGradient, sub, sum, type Tensor, where } from "@weft/tensor-core";
import { type LossSum, vocabularyOf } from "./causal.js";
import type { Headless } from "./headless.js";
import { inChunks } from "./in-chunks.js";
import { IGNORE_INDEX, nextTokens } from "./next-tokens.js";

/**
 * Σ over labels that are not -100 of τ²·KL(teacher ‖ student), both at temperature τ.
 * @see Hinton et al. 2015
 */
export function distillationLoss(
  student: Headless,
  teacher: Headless,
  labels: Tensor,
  { temperature, lossChunkTokens: chunkTokens }: { readonly temperature: number; readonly lossChunkTokens?: number | undefined },
): LossSum {
  const [own, given] = [nextTokens(student.hidden, labels), nextTokens(teacher.hidden, labels)];
  const logSoftmax = (logits: Tensor): Tensor => {
    const x = mul(cast(logits, "f32"), 1 / temperature);
    return sub(x, logSumExp(x, { axes: [1], keepDims: true }));
  };
  const rows = [own.states, given.states, own.labels];
  const pieces = inChunks(rows, { vocabulary: vocabularyOf(student), chunkTokens }, (states, taught, of) => {
    const p = stopGradient(logSoftmax(teacher.head(taught!)));
    const divergence = sum(mul(exp(p), sub(p, logSoftmax(student.head(states!)))), { axes: [1] });
    return sum(where(notEqual(of!, IGNORE_INDEX), divergence, 0));
  });
  const total = pieces.reduce((a, b) => add(a, b));
  return { sum: mul(total, temperature ** 2), weight: sum(cast(notEqual(own.labels, IGNORE_INDEX), "f32")) };
}
