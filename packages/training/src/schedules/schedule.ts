/** What every schedule knows. */
export interface ScheduleRun {
  /** Steps of rising rate. */
  readonly warmupSteps: number;
  /** Steps of the whole training. */
  readonly maxSteps: number;
  /** The rate that is multiplied. */
  readonly learningRate: number;
}

/** Constants of a schedule of its own. */
export type ScheduleArgs = { readonly [name: string]: number | string | boolean | null };

/** Of a schedule that has none. */
export type NoArgs = Readonly<Record<string, never>>;

/** A multiplier of the learning rate, a pure function of the number of steps that have been made: 0 for the first one. */
export interface Schedule<A extends ScheduleArgs = ScheduleArgs> {
  readonly defaults: A;
  at(step: number, run: ScheduleRun, args: A): number;
}

/** s / w while the rate rises, undefined after that: **the first step has rate 0**. */
export const warmup = (step: number, { warmupSteps }: ScheduleRun): number | undefined =>
  step < warmupSteps ? step / Math.max(1, warmupSteps) : undefined;

/** (s - w) / (N - w), the share of the steps after warm-up that have been made. */
export const progress = (step: number, { warmupSteps, maxSteps }: ScheduleRun): number =>
  (step - warmupSteps) / Math.max(1, maxSteps - warmupSteps);
