import { ConfigError } from "@weft/tensor-core";
import type { EvaluationSchedule } from "./by-evaluation.js";
import { CONSTANT, CONSTANT_WITH_WARMUP } from "./constant.js";
import { COSINE, COSINE_WARMUP_WITH_MIN_LR, COSINE_WITH_MIN_LR, COSINE_WITH_RESTARTS } from "./cosine.js";
import { GREEDY } from "./greedy.js";
import { INVERSE_SQRT } from "./inverse-sqrt.js";
import { LINEAR } from "./linear.js";
import { POLYNOMIAL } from "./polynomial.js";
import { REDUCE_ON_PLATEAU } from "./reduce-on-plateau.js";
import type { Schedule, ScheduleArgs, ScheduleRun } from "./schedule.js";
import { WARMUP_STABLE_DECAY } from "./warmup-stable-decay.js";

/** A name of a schedule that follows the number of steps: transformers' `lr_scheduler_type`. */
export type StepScheduleName =
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

/** A name of a schedule that follows the losses of evaluations. */
export type EvaluationScheduleName = "reduce_lr_on_plateau" | "greedy";

/** A name of a schedule: transformers' `lr_scheduler_type`. */
export type ScheduleName = StepScheduleName | EvaluationScheduleName;

/** Schedules by name. */
export const SCHEDULES: { readonly [name in StepScheduleName]: Schedule } = {
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

/** Those that follow evaluations, by name. */
export const EVALUATION_SCHEDULES: { readonly [name in EvaluationScheduleName]: EvaluationSchedule } = {
  reduce_lr_on_plateau: REDUCE_ON_PLATEAU as EvaluationSchedule,
  greedy: GREEDY as EvaluationSchedule,
};

/** Whether the rate follows the losses of evaluations, without which it stays as it is. */
export const followsEvaluations = (name: string): name is EvaluationScheduleName => Object.hasOwn(EVALUATION_SCHEDULES, name);

/** The learning rate of a step, counted from 0, after evaluations with these losses. */
export type LearningRates = (step: number, losses?: readonly number[]) => number;

/** The learning rate of each step. @param args `lrSchedulerKwargs` @throws ConfigError for an unknown name or field */
export function learningRates(name: string, run: ScheduleRun, args: ScheduleArgs = {}): LearningRates {
  const followed = followsEvaluations(name);
  if (!followed && !Object.hasOwn(SCHEDULES, name))
    throw new ConfigError(`lrSchedulerType is "${name}"`, {
      hint: `one of ${[...Object.keys(SCHEDULES), ...Object.keys(EVALUATION_SCHEDULES)].join(", ")}`,
    });
  const { defaults } = followed ? EVALUATION_SCHEDULES[name] : SCHEDULES[name as StepScheduleName];
  const unknown = Object.keys(args).find((key) => !Object.hasOwn(defaults, key));
  if (unknown !== undefined)
    throw new ConfigError(`lrSchedulerKwargs: ${name} has no ${unknown}`, {
      hint: `it has ${Object.keys(defaults).join(", ") || "no fields"}`,
    });
  const all = { ...defaults, ...args };
  if (followed) return (_, losses = []) => EVALUATION_SCHEDULES[name].after(losses, run, all);
  return (step) => run.learningRate * SCHEDULES[name as StepScheduleName].at(step, run, all);
}

/** HF's `warmup_steps`: from 1 on a number of steps (truncated), below 1 a share of all steps (rounded up). */
export const warmupStepsOf = (warmupSteps: number, maxSteps: number): number =>
  warmupSteps >= 1 ? Math.trunc(warmupSteps) : Math.ceil(maxSteps * warmupSteps);
