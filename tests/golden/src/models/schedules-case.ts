import { learningRates, type ScheduleArgs } from "@weft/training";
import { Comparison, type Outcome } from "../case.js";
import { readJson } from "../peft/files.js";

interface Trace {
  readonly args: {
    readonly lr: number;
    readonly num_warmup_steps: number;
    readonly num_training_steps: number;
    readonly [field: string]: number | string;
  };
  readonly lr: readonly number[];
}

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** Every schedule's 100 rates as transformers gives them; both compute in f64. */
export function runSchedules(file: string): Promise<Outcome> {
  const check = new Comparison(1e-15);
  for (const [name, { args, lr }] of Object.entries(readJson<{ readonly [name: string]: Trace }>(file))) {
    const { lr: learningRate, num_warmup_steps: warmupSteps, num_training_steps: maxSteps, ...rest } = args;
    const own = Object.fromEntries(Object.entries(rest).map(([field, value]) => [camel(field), value])) as ScheduleArgs;
    const rate = learningRates(name, { warmupSteps, maxSteps, learningRate }, own);
    lr.forEach((want, step) => check.within(`${name}, step ${step}`, Math.abs(rate(step) - want), 1e-15));
  }
  return Promise.resolve(check.outcome());
}
