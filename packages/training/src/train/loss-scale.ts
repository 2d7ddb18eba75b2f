import type { Trainee } from "./trainee.js";

/** A scale, and the steps since it was last changed. */
export interface LossScaleState {
  readonly value: number;
  readonly goodSteps: number;
}

/** The first scale, and after how many good steps it is doubled. */
const [FIRST, INTERVAL] = [65536, 2000];

/** Before the first step; null unless the model has weights in f16, whose gradients would vanish below 6e-8 without a scale. */
export const firstScale = ({ baseModel }: Trainee): LossScaleState | null =>
  [...baseModel.weights.values()].some(({ dtype }) => dtype === "f16") ? { value: FIRST, goodSteps: 0 } : null;

/**
 * The scale after gradients that were numbers, or were not.
 * @see Micikevicius et al. 2018; torch `amp/grad_scaler.py`
 */
export function nextScale({ value, goodSteps }: LossScaleState, good: boolean): LossScaleState {
  if (!good) return { value: value / 2, goodSteps: 0 };
  return goodSteps + 1 === INTERVAL ? { value: value * 2, goodSteps: 0 } : { value, goodSteps: goodSteps + 1 };
}
