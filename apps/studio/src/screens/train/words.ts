import type { RunState } from "../../engine/runs/reduce.js";
import { about, clock, loss } from "../../ui/format.js";

/** What is left of a run, in seconds: by the steps of this page's time. */
export function secondsLeft({ step, maxSteps, seconds, since }: RunState, now: number): number | undefined {
  const passed = seconds + (since === undefined ? 0 : (now - since) / 1000);
  return step === 0 ? undefined : (passed / step) * (maxSteps - step);
}

/** The state of a run in words. */
export function stateWords(run: RunState, now: number): string {
  const { phase, step, maxSteps, seconds, firstLoss, last, bestEval, failure, recovered, checkpoints } = run;
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
      if (recovered) {
        const { step: at, checkpoint } = recovered;
        const good = checkpoint > 0 ? `checkpoint ${checkpoint} is good` : "there is no checkpoint yet";
        return `Interrupted at ${at}; ${good}. ${at - checkpoint} ${at - checkpoint === 1 ? "step" : "steps"} will be repeated and compared.`;
      }
      return checkpoints.at(-1) === step ? `Paused at step ${step}. Saved; you may close this tab.` : `Paused at step ${step}.`;
    case "stopping":
      return `Finishing step ${step + 1}, then saving.`;
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

/** How repeating steps went. */
export const verifiedWords = ({ steps, differs }: NonNullable<RunState["verified"]>): string =>
  differs === null
    ? `${steps} ${steps === 1 ? "step was" : "steps were"} repeated after the interruption, and each loss is equal to the last bit.`
    : `${steps} steps were repeated after the interruption; from step ${differs} on losses differ: this device, or its number of threads, is another one.`;

/** What the screen says. */
export const WORDS = {
  title: "Train",
  ready: "Ready.",
  nothing: "Open a model and data first.",
  starting: "The engine is starting.",
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
