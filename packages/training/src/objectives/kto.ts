import { cast, ConfigError, full, maximum, mean, mul, sigmoid, stopGradient, sub, sum, type Tensor, where } from "@weft/tensor-core";
import { sequenceLogProbs } from "../losses/causal.js";
import { type BatchTensors, inputsOf, type Objective, type ObjectivePass, policy, reference } from "./objective.js";

/** Options of KTO, under TRL's names. */
export interface KtoOptions {
  /** How far the policy may leave the reference; 0.1 if not given. */
  readonly beta?: number;
  readonly desirableWeight?: number;
  readonly undesirableWeight?: number;
}

/** Fields of the mismatched texts, from which the divergence is estimated: prompts with completions of other rows. */
const KL = "kl";

/** `klInputIds` → `inputIds`. */
const ownName = (name: string): string => name[KL.length]!.toLowerCase() + name.slice(KL.length + 1);
const isKl = (name: string): boolean => /^kl[A-Z]/.test(name);

/** log π - log ref of each row. */
function ratios(pass: ObjectivePass, batch: BatchTensors): Tensor {
  const inputs = inputsOf(batch, ["labels"]);
  const base = sequenceLogProbs(reference(pass, inputs), batch["labels"]!, pass).sum;
  return sub(sequenceLogProbs(policy(pass, inputs), batch["labels"]!, pass).sum, stopGradient(base));
}

/**
 * Kahneman-Tversky optimisation: with r = log π - log ref of a completion and z = max(0, mean r of mismatched completions), which has no gradient:
 * λ_D·(1 - σ(β(r - z))) for desirable ones, λ_U·(1 - σ(β(z - r))) for others. A batch says which are desirable (i32 [batch]), and has the mismatched texts as
 * `klInputIds`, `klLabels`, …; without them z is 0.
 * @see Ethayarajh et al. 2024; trl `trainer/kto_trainer.py`
 */
export function kto({ beta = 0.1, desirableWeight = 1, undesirableWeight = 1 }: KtoOptions = {}): Objective {
  if (!(beta > 0)) throw new ConfigError(`kto: beta is ${beta}, expected a number above 0`);
  return {
    name: "kto",
    fields: ["labels", "desirable"],
    loss(pass, batch) {
      const names = Object.keys(batch);
      const own = ratios(
        pass,
        Object.fromEntries(names.filter((name) => !isKl(name) && name !== "desirable").map((name) => [name, batch[name]!])),
      );
      const mismatched = Object.fromEntries(names.filter(isKl).map((name) => [ownName(name), batch[name]!]));
      const z = mismatched["inputIds"] ? maximum(stopGradient(mean(ratios(pass, mismatched))), 0) : full([], 0);
      const good = cast(batch["desirable"]!, "bool");
      const value = sigmoid(mul(where(good, sub(own, z), sub(z, own)), beta));
      return { sum: sum(mul(sub(1, value), where(good, full([], desirableWeight), undesirableWeight))), weight: full([], own.size) };
    },
  };
}
