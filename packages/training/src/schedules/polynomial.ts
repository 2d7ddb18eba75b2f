import { progress, type Schedule, warmup } from "./schedule.js";

/** Warm-up, then ((η - end)·(1 - p)^power + end) / η. */
export const POLYNOMIAL: Schedule<{ readonly lrEnd: number; readonly power: number }> = {
  defaults: { lrEnd: 1e-7, power: 1 },
  at(step, run, { lrEnd, power }) {
    const rising = warmup(step, run);
    if (rising !== undefined) return rising;
    const left = step > run.maxSteps ? 0 : 1 - progress(step, run);
    return ((run.learningRate - lrEnd) * left ** power + lrEnd) / run.learningRate;
  },
};
