import { expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { learningRates, type ScheduleName, SCHEDULES, warmupStepsOf } from "./table.js";

const file = fileURLToPath(new URL("../../../../fixtures/models/schedules.json", import.meta.url));

// The rates themselves are a golden case.
it("every schedule has a trace of transformers", () => {
  expect(Object.keys(JSON.parse(readFileSync(file, "utf8")) as object).toSorted()).toEqual(Object.keys(SCHEDULES).toSorted());
});

it("warm-up is a number of steps, or below 1 a share", () => {
  expect([0, 0.03, 0.5, 1, 10.7].map((w) => warmupStepsOf(w, 101))).toEqual([0, 4, 51, 1, 10]);
});

it("no schedule gives a rate that is no number, whatever the lengths", () => {
  const needed: { readonly [name in ScheduleName]?: object } = {
    cosine_with_min_lr: { minLrRate: 0.1 },
    cosine_warmup_with_min_lr: { minLrRate: 0.1 },
  };
  for (const name of Object.keys(SCHEDULES) as ScheduleName[])
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
