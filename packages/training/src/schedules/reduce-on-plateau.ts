import { assertFactor, type Comparison, comparisonOf, type EvaluationSchedule } from "./by-evaluation.js";

/** torch's fields, with its defaults. */
export type ReduceOnPlateauArgs = Comparison & {
  readonly factor: number;
  /** Evaluations without a better loss that are borne. */
  readonly patience: number;
  /** Evaluations after a reduction that are not counted. */
  readonly cooldown: number;
  readonly minLr: number;
  /** A reduction by less is left out. */
  readonly eps: number;
};

/** The rate is multiplied by `factor` after `patience` evaluations without a better loss. @see torch `ReduceLROnPlateau`, of which `epoch` is an evaluation */
export const REDUCE_ON_PLATEAU: EvaluationSchedule<ReduceOnPlateauArgs> = {
  defaults: { mode: "min", threshold: 1e-4, thresholdMode: "rel", factor: 0.1, patience: 10, cooldown: 0, minLr: 0, eps: 1e-8 },
  after(losses, { learningRate }, args) {
    const { factor, patience, cooldown, minLr, eps } = args;
    assertFactor(factor);
    const { worst, isBetter } = comparisonOf(args);
    let [rate, best, bad, cooling] = [learningRate, worst, 0, 0];
    for (const loss of losses) {
      if (isBetter(loss, best)) [best, bad] = [loss, 0];
      else bad++;
      if (cooling > 0) [cooling, bad] = [cooling - 1, 0];
      if (bad <= patience) continue;
      const lower = Math.max(rate * factor, minLr);
      if (rate - lower > eps) rate = lower;
      [cooling, bad] = [cooldown, 0];
    }
    return rate;
  },
};
