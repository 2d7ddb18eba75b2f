import { ConfigError } from "@weft/tensor-core";
import { CONSTANT, CONSTANT_WITH_WARMUP } from "./constant.js";
import { COSINE, COSINE_WARMUP_WITH_MIN_LR, COSINE_WITH_MIN_LR, COSINE_WITH_RESTARTS } from "./cosine.js";
import { INVERSE_SQRT } from "./inverse-sqrt.js";
import { LINEAR } from "./linear.js";
import { POLYNOMIAL } from "./polynomial.js";
import type { Schedule, ScheduleArgs, ScheduleRun } from "./schedule.js";
import { WARMUP_STABLE_DECAY } from "./warmup-stable-decay.js";

/** A name of a schedule: transformers' `lr_scheduler_type`. */
export type ScheduleName =
  | "constant"
  | "constant_with_warmup"
  | "linear"
  | "cosine"
  | "cosine_with_restarts"
  | "polynomial"
  | "inverse_sqrt"
  | "cosine_with_min_lr"
  | "cosine_warmup_with_min_lr"
  | "warmup_stable_decay";

/** Schedules by name. */
export const SCHEDULES: { readonly [name in ScheduleName]: Schedule } = {
  constant: CONSTANT,
  constant_with_warmup: CONSTANT_WITH_WARMUP,
  linear: LINEAR,
  cosine: COSINE,
  cosine_with_restarts: COSINE_WITH_RESTARTS,
  polynomial: POLYNOMIAL,
  inverse_sqrt: INVERSE_SQRT,
  cosine_with_min_lr: COSINE_WITH_MIN_LR,
  cosine_warmup_with_min_lr: COSINE_WARMUP_WITH_MIN_LR,
  warmup_stable_decay: WARMUP_STABLE_DECAY,
};

/** The learning rate of each step, counted from 0. @param args `lrSchedulerKwargs` @throws ConfigError for an unknown name or field */
export function learningRates(name: string, run: ScheduleRun, args: ScheduleArgs = {}): (step: number) => number {
  if (!Object.hasOwn(SCHEDULES, name))
    throw new ConfigError(`lrSchedulerType is "${name}"`, { hint: `one of ${Object.keys(SCHEDULES).join(", ")}` });
  const schedule = SCHEDULES[name as ScheduleName];
  const unknown = Object.keys(args).find((key) => !Object.hasOwn(schedule.defaults, key));
  if (unknown !== undefined)
    throw new ConfigError(`lrSchedulerKwargs: ${name} has no ${unknown}`, {
      hint: `it has ${Object.keys(schedule.defaults).join(", ") || "no fields"}`,
    });
  const all = { ...schedule.defaults, ...args };
  return (step) => run.learningRate * schedule.at(step, run, all);
}

/** HF's `warmup_steps`: from 1 on a number of steps (truncated), below 1 a share of all steps (rounded up). */
export const warmupStepsOf = (warmupSteps: number, maxSteps: number): number =>
  warmupSteps >= 1 ? Math.trunc(warmupSteps) : Math.ceil(maxSteps * warmupSteps);
