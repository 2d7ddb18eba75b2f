import { type NoArgs, type Schedule, warmup } from "./schedule.js";

/** 1 in every step. */
export const CONSTANT: Schedule<NoArgs> = { defaults: {}, at: () => 1 };

/** Warm-up, then 1. */
export const CONSTANT_WITH_WARMUP: Schedule<NoArgs> = { defaults: {}, at: (step, run) => warmup(step, run) ?? 1 };
