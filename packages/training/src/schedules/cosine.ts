import { ConfigError } from "@weft/tensor-core";
import { progress, type Schedule, type ScheduleRun, warmup } from "./schedule.js";

/** ½(1 + cos 2π·cycles·p) */
export const wave = (p: number, cycles: number): number => 0.5 * (1 + Math.cos(Math.PI * 2 * cycles * p));

/** Warm-up, then ½(1 + cos 2π·cycles·p); half a cycle falls from 1 to 0. */
export const COSINE: Schedule<{ readonly numCycles: number }> = {
  defaults: { numCycles: 0.5 },
  at: (step, run, { numCycles }) => warmup(step, run) ?? Math.max(0, wave(progress(step, run), numCycles)),
};

/** Warm-up, then `numCycles` falls from 1 to 0, each of which begins anew. */
export const COSINE_WITH_RESTARTS: Schedule<{ readonly numCycles: number }> = {
  defaults: { numCycles: 1 },
  at(step, run, { numCycles }) {
    const rising = warmup(step, run);
    if (rising !== undefined) return rising;
    const p = progress(step, run);
    return p >= 1 ? 0 : Math.max(0, wave((numCycles * p) % 1, 0.5));
  },
};

/** Where a schedule stops falling: as a rate or as a share of the learning rate. */
export type LeastRate = { readonly minLr: number | null; readonly minLrRate: number | null };

/** The share. @throws ConfigError unless one of the two is given */
function leastOf({ minLr, minLrRate }: LeastRate, { learningRate }: ScheduleRun): number {
  if ((minLr === null) === (minLrRate === null))
    throw new ConfigError(`lrSchedulerKwargs: minLr is ${minLr} and minLrRate ${minLrRate}, expected one of the two`);
  return minLrRate ?? minLr! / learningRate;
}

/** Warm-up, then f·(1 - r) + r with the f of `cosine` and r the least rate's share. */
export const COSINE_WITH_MIN_LR: Schedule<LeastRate & { readonly numCycles: number }> = {
  defaults: { minLr: null, minLrRate: null, numCycles: 0.5 },
  at(step, run, args) {
    const least = leastOf(args, run);
    return warmup(step, run) ?? Math.max(0, wave(progress(step, run), args.numCycles) * (1 - least) + least);
  },
};

/** `cosine_with_min_lr` whose warm-up begins at `warmupLrRate` (of null: at 1/w) and reaches 1 in its last step, and which is one step ahead after that. */
export const COSINE_WARMUP_WITH_MIN_LR: Schedule<LeastRate & { readonly numCycles: number; readonly warmupLrRate: number | null }> = {
  defaults: { minLr: null, minLrRate: null, numCycles: 0.5, warmupLrRate: null },
  at(step, run, args) {
    const [least, { warmupSteps }] = [leastOf(args, run), run];
    if (step < warmupSteps) {
      if (args.warmupLrRate === null) return (step + 1) / Math.max(1, warmupSteps);
      return args.warmupLrRate + ((1 - args.warmupLrRate) * step) / Math.max(1, warmupSteps - 1);
    }
    return Math.max(0, wave(progress(step + 1, run), args.numCycles) * (1 - least) + least);
  },
};
