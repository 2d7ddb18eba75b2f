import { cast, div, maximum, mul, reshape, ShapeError, slice, sum, type Tensor } from "@weft/tensor-core";
import { cosineSimilarityLoss, multipleNegativesRankingLoss } from "../losses/contrastive.js";
import { type BatchTensors, inputsOf, type Objective, type ObjectivePass } from "./objective.js";

/** The mean state of the tokens of each row that are no padding, [batch, hidden]. */
function sentences(pass: ObjectivePass, inputs: BatchTensors): Tensor {
  const { lastHiddenState, hiddenStates } = pass.run(inputs) as {
    readonly lastHiddenState?: Tensor;
    readonly hiddenStates: readonly Tensor[];
  };
  const hidden = cast(lastHiddenState ?? hiddenStates.at(-1)!, "f32");
  const mask = inputs["attentionMask"];
  if (!mask) return div(sum(hidden, { axes: [1] }), hidden.shape[1]!);
  const counts = reshape(cast(mask, "f32"), [...mask.shape, 1]);
  return div(sum(mul(hidden, counts), { axes: [1] }), maximum(sum(counts, { axes: [1] }), 1e-9));
}

/** `count` parts of the rows, one after the other. */
function parts(rows: Tensor, count: number): Tensor[] {
  const [all] = rows.shape as [number];
  if (all % count !== 0) throw new ShapeError(`a batch of texts in ${count} columns has ${all} rows, expected a multiple of ${count}`);
  const each = all / count;
  return Array.from({ length: count }, (_, i) => slice(rows, [[i * each, (i + 1) * each]]));
}

/**
 * In-batch negatives for sentence encoders. Rows of a batch: first all anchors, then their positives, and with `hardNegatives` as many negatives.
 * @see multipleNegativesRankingLoss
 */
export function contrastive({
  scale = 20,
  hardNegatives = false,
}: { readonly scale?: number; readonly hardNegatives?: boolean } = {}): Objective {
  return {
    name: "contrastive",
    fields: [],
    loss(pass, batch) {
      const [anchors, positives, negatives] = parts(sentences(pass, batch), hardNegatives ? 3 : 2);
      return multipleNegativesRankingLoss(anchors!, positives!, { scale, negatives });
    },
  };
}

/** Cosine of two texts against a score. Rows of a batch: first the first texts, then the second ones; `scores` f32, one a pair. */
export const COSINE_SIMILARITY: Objective = {
  name: "cosine-similarity",
  fields: ["scores"],
  loss(pass, batch) {
    const [a, b] = parts(sentences(pass, inputsOf(batch, ["scores"])), 2);
    return cosineSimilarityLoss(a!, b!, batch["scores"]!);
  },
};
