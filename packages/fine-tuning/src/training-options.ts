import { dpo, kto, type Objective, orpo, SFT, type TrainingOptions } from "@weft/training";
import type { FineTuningSettings } from "./settings.js";

/** The objective of a name. */
function objectiveOf({ objective, beta }: Pick<FineTuningSettings, "objective" | "beta">): Objective {
  const options = beta === undefined ? {} : { beta };
  return { sft: () => SFT, dpo: () => dpo(options), orpo: () => orpo(options), kto: () => kto(options) }[objective]();
}

/** Settings as `train` of `@weft/training` takes them. Where it runs is where the weights lie, so a name of a device is none of them. */
export function trainingOptions(given: FineTuningSettings & { readonly device?: never }): TrainingOptions {
  const { gradientCheckpointing, maxMemory, ...settings } = given;
  const budget = maxMemory === undefined ? "none" : { maxMemory };
  return { ...settings, gradientCheckpointing: gradientCheckpointing ? "blocks" : budget, objective: objectiveOf(settings) };
}
