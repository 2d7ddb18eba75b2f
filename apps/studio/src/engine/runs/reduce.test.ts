import { expect, test } from "vitest";
import type { EngineEvent, NewEvent, Phase } from "../../protocol/events.js";
import { isLive, mayFollow, NEW_RUN, reduce, type RunState } from "./reduce.js";

let seq = 0;
const event = (body: Omit<NewEvent, "run">): EngineEvent => ({ v: 1, seq: ++seq, run: "r", ...body }) as EngineEvent;
const state = (phase: Phase, at: number, step = 0): EngineEvent => event({ type: "state", phase, step, maxSteps: 10, at } as never);
const step = (number: number, loss: number | null) => ({ step: number, loss, lr: 1e-3, gradNorm: 1, tokens: 8, tokPerS: 100, bytes: 1 });
const after = (...events: readonly EngineEvent[]): RunState => events.reduce(reduce, NEW_RUN);

test("seconds are those of training, without pauses", () => {
  const run = after(
    state("preparing", 0),
    state("running", 1000),
    state("pausing", 3000, 2),
    state("paused", 4000, 3),
    state("running", 60_000, 3),
    state("finished", 62_500, 10),
  );
  expect(run).toMatchObject({ phase: "finished", step: 10, maxSteps: 10, seconds: 5.5, since: undefined });
});

test("the last step, the first loss and the best evaluation are kept", () => {
  const run = after(
    event({ type: "steps", steps: [step(1, 3), step(2, 2.5)] } as never),
    event({ type: "eval", step: 2, loss: 2.4, isBest: true } as never),
    event({ type: "steps", steps: [step(3, null)] } as never),
    event({ type: "eval", step: 3, loss: 2.6, isBest: false } as never),
  );
  expect(run).toMatchObject({ step: 3, firstLoss: 3, bestEval: { step: 2, loss: 2.4 }, lastEval: 2.6 });
  expect(run.last!.loss).toBeNull();
});

test("a run that is over stays over", () => {
  for (const phase of ["finished", "failed"] as const) {
    expect(isLive(phase)).toBe(false);
    expect(mayFollow(phase, "running")).toBe(false);
  }
  expect(mayFollow("running", "paused")).toBe(false); // the step under way comes first
  expect(mayFollow("pausing", "paused")).toBe(true);
});
