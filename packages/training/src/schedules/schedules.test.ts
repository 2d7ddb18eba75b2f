import { expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { camel as camelCase } from "@weft/tensor-core";
import type { ScheduleArgs } from "./schedule.js";
import { learningRates, type StepScheduleName, SCHEDULES, warmupStepsOf } from "./table.js";

const fixture = (path: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url)), "utf8"));

// The rates themselves are a golden case.
it("every schedule has a trace of transformers", () => {
  expect(Object.keys(fixture("models/schedules.json") as object).toSorted()).toEqual(Object.keys(SCHEDULES).toSorted());
});

const byEvaluation = fixture("schedules/by-evaluation.json") as {
  readonly learning_rate: number;
  readonly losses: { readonly [name: string]: readonly number[] };
  readonly cases: readonly {
    readonly name: string;
    readonly args: ScheduleArgs;
    readonly losses: string;
    readonly rates: readonly number[];
  }[];
};

it.each(byEvaluation.cases)("$name with $args follows losses that are $losses as transformers' does", ({ name, args, losses, rates }) => {
  const camel = Object.fromEntries(Object.entries(args).map(([key, value]) => [camelCase(key), value]));
  const rate = learningRates(name, { warmupSteps: 0, maxSteps: 1, learningRate: byEvaluation.learning_rate }, camel);
  for (const [n, expected] of rates.entries()) expect(rate(0, byEvaluation.losses[losses]!.slice(0, n)) / expected).toBeCloseTo(1, 12);
});

it("warm-up is a number of steps, or below 1 a share", () => {
  expect([0, 0.03, 0.5, 1, 10.7].map((w) => warmupStepsOf(w, 101))).toEqual([0, 4, 51, 1, 10]);
});

it("no schedule gives a rate that is no number, whatever the lengths", () => {
  const needed: { readonly [name in StepScheduleName]?: object } = {
    cosine_with_min_lr: { minLrRate: 0.1 },
    cosine_warmup_with_min_lr: { minLrRate: 0.1 },
  };
  for (const name of Object.keys(SCHEDULES) as StepScheduleName[])
    for (const [warmupSteps, maxSteps] of [
      [0, 1],
      [1, 1],
      [5, 5],
      [0, 7],
    ] as const)
      for (let step = 0; step < maxSteps; step++)
        expect(learningRates(name, { warmupSteps, maxSteps, learningRate: 1 }, needed[name] as never)(step)).toSatisfy(
          (x: number) => x >= 0 && x <= 1,
        );
});

it.each([
  [() => learningRates("cos", { warmupSteps: 0, maxSteps: 1, learningRate: 1 }), 'lrSchedulerType is "cos"'],
  [() => learningRates("greedy", { warmupSteps: 0, maxSteps: 1, learningRate: 1 }, { factor: 1 })(0), "factor is 1"],
  [() => learningRates("greedy", { warmupSteps: 0, maxSteps: 1, learningRate: 1 }, { mode: "least" })(0), 'mode is "least"'],
  [() => learningRates("linear", { warmupSteps: 0, maxSteps: 1, learningRate: 1 }, { power: 2 }), "linear has no power"],
  [() => learningRates("cosine_with_min_lr", { warmupSteps: 0, maxSteps: 1, learningRate: 1 })(0), "one of the two"],
  [
    () =>
      learningRates("warmup_stable_decay", { warmupSteps: 0, maxSteps: 9, learningRate: 1 }, { decayType: "sqrt", numDecaySteps: 9 })(0),
    "decayType",
  ],
])("says what is wrong: %s", (call, message) => {
  expect(call).toThrow(message);
});
