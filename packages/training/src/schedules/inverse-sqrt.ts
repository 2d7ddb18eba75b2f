import { type Schedule, warmup } from "./schedule.js";

/** Warm-up, then √(τ / (s + τ - w)) with τ the time scale: w steps, or 10000 without warm-up, unless given. */
export const INVERSE_SQRT: Schedule<{ readonly timescale: number | null }> = {
  defaults: { timescale: null },
  at(step, run, { timescale }) {
    const scale = timescale ?? (run.warmupSteps || 10_000);
    return warmup(step, run) ?? 1 / Math.sqrt((step + scale - run.warmupSteps) / scale);
  },
};
