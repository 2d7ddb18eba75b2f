import { ConfigError, type Tensor } from "@weft/tensor-core";
import { classificationLoss, mseLoss } from "../losses/classification.js";
import { inputsOf, type Objective } from "./objective.js";

/** The logits of a pass. @throws ConfigError if the model has no head that gives some */
function logitsOf(output: unknown): Tensor {
  const { logits } = output as { readonly logits?: Tensor };
  if (logits) return logits;
  throw new ConfigError("the model gives no logits, from which classes are told", {
    hint: 'load it with its head (BERT_FOR_SEQUENCE_CLASSIFICATION), or give it one: withNewHead(encoder, { head: "sequence", numLabels: 2 })',
  });
}

/**
 * Cross-entropy of classes: of texts, whose `labels` are i32 [batch], or of tokens, i32 [batch, length]; -100 does not count. For models with a head over them.
 * @see transformers `loss/loss_utils.py` ForSequenceClassificationLoss, ForTokenClassification
 */
export const CLASSIFICATION: Objective = {
  name: "classification",
  fields: ["labels"],
  loss: (pass, batch) => classificationLoss(logitsOf(pass.run(inputsOf(batch, ["labels"]))), batch["labels"]!, pass.labelSmoothingFactor),
};

/** Mean of squares of numbers that a head foretells: `labels` f32 [batch], or [batch, numbers]. @see torch `F.mse_loss` */
export const REGRESSION: Objective = {
  name: "regression",
  fields: ["labels"],
  loss: (pass, batch) => mseLoss(logitsOf(pass.run(inputsOf(batch, ["labels"]))), batch["labels"]!),
};
