import { ConfigError, div, equal, full, mul, neg, slice, sub, sum, where } from "@weft/tensor-core";
import { sequenceLogProbs } from "../losses/causal.js";
import { log1mExp, logSigmoid } from "../losses/log-sigmoid.js";
import { IGNORE_INDEX } from "../losses/next-tokens.js";
import { inputsOf, type Objective, policy } from "./objective.js";
import { halves } from "./pairs.js";

/**
 * Odds ratio preference optimisation: the cross-entropy of all tokens of the chosen texts, prompts included, plus β·-log σ(log odds_w - log odds_l), where log odds =
 * ℓ - log(1 - e^ℓ) and ℓ is the mean log-probability of the labels. Rows of a batch: first the chosen completions, then the rejected ones.
 * @see Hong et al. 2024; trl `experimental/orpo/orpo_trainer.py`
 */
export function orpo({ beta = 0.1 }: { readonly beta?: number } = {}): Objective {
  if (!(beta >= 0)) throw new ConfigError(`orpo: beta is ${beta}, expected a number from 0 on`);
  return {
    name: "orpo",
    fields: ["labels"],
    loss(pass, batch) {
      const [labels, ids, mask] = [batch["labels"]!, batch["inputIds"]!, batch["attentionMask"]];
      const run = policy(pass, inputsOf(batch, ["labels"]));
      const own = sequenceLogProbs(run, labels, pass);
      const [chosen, rejected] = halves(div(own.sum, own.weight));
      const pairs = chosen.size;
      const odds = sub(sub(chosen, rejected), sub(log1mExp(chosen), log1mExp(rejected)));
      const all = sequenceLogProbs(
        { ...run, hidden: slice(run.hidden, [[0, pairs]]) },
        slice(mask ? where(equal(mask, 1), ids, IGNORE_INDEX) : ids, [[0, pairs]]),
        pass,
      );
      const nll = neg(div(sum(all.sum), sum(all.weight)));
      return { sum: sub(mul(nll, pairs), mul(sum(logSigmoid(odds)), beta)), weight: full([], pairs) };
    },
  };
}
