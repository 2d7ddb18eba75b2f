import { causalLoss } from "../losses/causal.js";
import { inputsOf, type Objective, policy } from "./objective.js";

/** Supervised fine-tuning: cross-entropy of the next token where a label is not -100. */
export const SFT: Objective = {
  name: "sft",
  fields: ["labels"],
  loss: (pass, batch) => causalLoss(policy(pass, inputsOf(batch, ["labels"])), batch["labels"]!, pass),
};
