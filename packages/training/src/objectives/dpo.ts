import { ConfigError, div, full, maximum, mul, neg, relu, square, stopGradient, sub, sum, type Tensor } from "@weft/tensor-core";
import { sequenceLogProbs } from "../losses/causal.js";
import { logSigmoid } from "../losses/log-sigmoid.js";
import { inputsOf, type Objective, policy, reference } from "./objective.js";
import { halves } from "./pairs.js";

/** Options of DPO, under TRL's names. */
export interface DpoOptions {
  /** How far the policy may leave the reference; 0.1 if not given. */
  readonly beta?: number;
  readonly lossType?: "sigmoid" | "hinge" | "ipo";
}

/**
 * Direct preference optimisation: with Δ = (log π_w - log π_l) - (log ref_w - log ref_l), -log σ(βΔ) (`sigmoid`), max(0, 1 - βΔ) (`hinge`), or of log-probabilities
 * per token (Δ - 1/2β)² (`ipo`). The reference is the model with the adapter off. Rows of a batch: first the chosen completions, then the rejected ones.
 * @see Rafailov et al. 2023; trl `trainer/dpo_trainer.py`
 */
export function dpo({ beta = 0.1, lossType = "sigmoid" }: DpoOptions = {}): Objective {
  if (!(beta > 0)) throw new ConfigError(`dpo: beta is ${beta}, expected a number above 0`);
  const losses: { readonly [type: string]: (chosen: Tensor, rejected: Tensor, tokens: Tensor) => Tensor } = {
    sigmoid: (chosen, rejected) => neg(logSigmoid(mul(sub(chosen, rejected), beta))),
    hinge: (chosen, rejected) => relu(sub(1, mul(sub(chosen, rejected), beta))),
    ipo: (chosen, rejected, tokens) => {
      const [w, l] = halves(maximum(tokens, 1));
      return square(sub(sub(div(chosen, w), div(rejected, l)), 1 / (2 * beta)));
    },
  };
  if (!Object.hasOwn(losses, lossType))
    throw new ConfigError(`dpo: lossType is "${lossType}"`, { hint: `one of ${Object.keys(losses).join(", ")}` });
  return {
    name: "dpo",
    fields: ["labels"],
    loss(pass, batch) {
      const inputs = inputsOf(batch, ["labels"]);
      const own = sequenceLogProbs(policy(pass, inputs), batch["labels"]!, pass);
      const base = sequenceLogProbs(reference(pass, inputs), batch["labels"]!, pass);
      const [chosen, rejected] = halves(sub(own.sum, stopGradient(base.sum)));
      return { sum: sum(losses[lossType]!(chosen, rejected, own.weight)), weight: full([], chosen.size) };
    },
  };
}
