import { ConfigError } from "@weft/tensor-core";
import type { ScheduleArgs, ScheduleRun } from "./schedule.js";

/** A schedule that follows what evaluations find: its rate is a pure function of their losses so far, so that a checkpoint needs no more than the log. Warm-up is not for it. */
export interface EvaluationSchedule<A extends ScheduleArgs = ScheduleArgs> {
  readonly defaults: A;
  /** The rate after evaluations with these losses. */
  after(losses: readonly number[], run: Pick<ScheduleRun, "learningRate">, args: A): number;
}

/** How it is told whether a loss is better than another one. */
export type Comparison = {
  /** `min` or `max`: which of two losses is the better one. */
  readonly mode: string;
  /** By how much it must be better. */
  readonly threshold: number;
  /** `rel`: a share of the best one; `abs`: a difference. */
  readonly thresholdMode: string;
};

/** @throws ConfigError for a value that is none of `names` */
function assertNamed(field: string, value: string, names: readonly string[]): void {
  if (!names.includes(value)) throw new ConfigError(`lrSchedulerKwargs: ${field} is "${value}"`, { hint: `one of ${names.join(", ")}` });
}

/** @throws ConfigError for a mode that there is not */
export function comparisonOf({ mode, threshold, thresholdMode }: Comparison): {
  readonly worst: number;
  isBetter(loss: number, best: number): boolean;
} {
  assertNamed("mode", mode, ["min", "max"]);
  assertNamed("thresholdMode", thresholdMode, ["rel", "abs"]);
  const sign = mode === "min" ? -1 : 1;
  const bound = (best: number): number => (thresholdMode === "rel" ? best * (1 + sign * threshold) : best + sign * threshold);
  return {
    worst: mode === "min" ? Infinity : -Infinity,
    isBetter: (loss, best) => (mode === "min" ? loss < bound(best) : loss > bound(best)),
  };
}

/** @throws ConfigError unless a rate becomes less by the factor */
export function assertFactor(factor: number): void {
  if (!(factor > 0 && factor < 1))
    throw new ConfigError(`lrSchedulerKwargs: factor is ${factor}, expected a number between 0 and 1`, { kind: "training-option" });
}
