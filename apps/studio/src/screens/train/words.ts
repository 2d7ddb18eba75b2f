import type { RunState } from "../../engine/runs/reduce.js";
import { about, clock, loss } from "../../ui/format.js";

/** What is left of a run, in seconds: by the steps of this page's time. */
export function secondsLeft({ step, maxSteps, seconds, since }: RunState, now: number): number | undefined {
  const passed = seconds + (since === undefined ? 0 : (now - since) / 1000);
  return step === 0 ? undefined : (passed / step) * (maxSteps - step);
}

/** The state of a run in words. */
export function stateWords(run: RunState, now: number): string {
  const { phase, step, maxSteps, seconds, firstLoss, last, bestEval, failure } = run;
  const left = secondsLeft(run, now);
  switch (phase) {
    case "idle":
      return WORDS.ready;
    case "preparing":
      return "Preparing the first step.";
    case "running":
      return left === undefined ? `Step ${step} of ${maxSteps}.` : `Step ${step} of ${maxSteps}, ${about(left)} left.`;
    case "pausing":
      return `Finishing step ${step + 1}, then pausing.`;
    case "paused":
      return `Paused at step ${step}.`;
    case "stopping":
      return `Finishing step ${step + 1}.`;
    case "finished": {
      const best = bestEval ? `, best at ${bestEval.step}` : "";
      return `Done: ${step} steps in ${clock(seconds)}, loss ${loss(firstLoss)} to ${loss(last?.loss)}${best}.`;
    }
    case "failed":
      return failure?.kind === "non-finite-loss"
        ? `Stopped at ${step + 1}: the loss is not a number.`
        : `Stopped at ${step}: ${failure?.message ?? "it failed"}.`;
  }
}

/** What the screen says. */
export const WORDS = {
  title: "Train",
  ready: "Ready.",
  nothing: "Open a model and data first.",
  goOpen: "Go to Open",
  start: "Start",
  again: "Train again",
  pause: "Pause",
  resume: "Continue",
  stop: "Stop",
  loss: "Loss",
  lr: "Learning rate",
  gradNorm: "Gradient norm",
  tokPerS: "Tokens per second",
  bytes: "Memory",
  left: "Left",
  time: "Time",
  all: "All steps",
  recent: "Last 200",
  log: "Log scale",
  freeze: "Freeze charts",
  writes: "What it writes",
  before: "Before",
  after: (step: number): string => `After step ${step}`,
  waiting: "The first lines come when training has begun.",
  numbers: "All numbers",
  csv: "Save as CSV",
} as const;
