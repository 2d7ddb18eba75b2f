import { add, ConfigError, mul } from "@weft/tensor-core";
import { causalLoss } from "../losses/causal.js";
import { distillationLoss } from "../losses/distillation.js";
import { inputsOf, type Objective, policy, reference } from "./objective.js";

/** Options of distillation. */
export interface DistillationOptions {
  /** τ; 2 if not given. */
  readonly temperature?: number;
  /** The share of the teacher's distribution in the loss, the rest is that of the labels; 0.5 if not given. */
  readonly alpha?: number;
}

/**
 * α·τ²·KL(teacher ‖ student) + (1 - α)·cross-entropy of the labels, per label; the teacher is the model with the adapter off.
 * @see Hinton et al. 2015
 */
export function distillation({ temperature = 2, alpha = 0.5 }: DistillationOptions = {}): Objective {
  if (!(temperature > 0) || !(alpha >= 0 && alpha <= 1))
    throw new ConfigError(`distillation: temperature is ${temperature} and alpha ${alpha}, expected above 0, and from 0 to 1`);
  return {
    name: "distillation",
    fields: ["labels"],
    loss(pass, batch) {
      const inputs = inputsOf(batch, ["labels"]);
      const student = policy(pass, inputs);
      const { sum, weight } = distillationLoss(student, reference(pass, inputs), batch["labels"]!, { ...pass, temperature });
      const hard = causalLoss(student, batch["labels"]!, pass);
      return { sum: add(mul(sum, alpha), mul(hard.sum, 1 - alpha)), weight };
    },
  };
}
