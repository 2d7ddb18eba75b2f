import { type NoArgs, type Schedule, warmup } from "./schedule.js";

/** Warm-up, then (N - s) / (N - w). */
export const LINEAR: Schedule<NoArgs> = {
  defaults: {},
  at: (step, run) => warmup(step, run) ?? Math.max(0, (run.maxSteps - step) / Math.max(1, run.maxSteps - run.warmupSteps)),
};
