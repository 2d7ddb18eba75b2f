import type { Phase, EngineEvent, Step } from "../../protocol/events.js";
import type { Failure } from "../../protocol/values.js";

/** A run as its events have made it: the same in the engine and in every page. */
export interface RunState {
  readonly phase: Phase;
  /** Steps that are done, of how many. */
  readonly step: number;
  readonly maxSteps: number;
  readonly firstLoss: number | undefined;
  /** The last step. */
  readonly last: Step | undefined;
  readonly bestEval: { readonly step: number; readonly loss: number } | undefined;
  readonly lastEval: number | undefined;
  /** Seconds of training, without pauses, up to `since`. */
  readonly seconds: number;
  /** When the present stretch of training began, in ms since 1970; undefined while none is. */
  readonly since: number | undefined;
  /** Steps of this stretch, and when its last one came: for what is left. */
  readonly samples: readonly { readonly step: number; readonly prompt: string; readonly text: string }[];
  /** Steps of its checkpoints, ascending. */
  readonly checkpoints: readonly number[];
  /** It was interrupted after a step, and has not gone on yet. */
  readonly recovered: { readonly step: number; readonly checkpoint: number } | undefined;
  /** Steps that were repeated after that, and the first whose loss was another one. */
  readonly verified: { readonly steps: number; readonly differs: number | null } | undefined;
  readonly failure: Failure | undefined;
}

/** Before anything has happened. */
export const NEW_RUN: RunState = {
  phase: "idle",
  step: 0,
  maxSteps: 0,
  firstLoss: undefined,
  last: undefined,
  bestEval: undefined,
  lastEval: undefined,
  seconds: 0,
  since: undefined,
  samples: [],
  checkpoints: [],
  recovered: undefined,
  verified: undefined,
  failure: undefined,
};

/** What may follow what. */
const NEXT: { readonly [phase in Phase]: readonly Phase[] } = {
  idle: ["preparing"],
  preparing: ["running", "pausing", "stopping", "failed"],
  running: ["pausing", "stopping", "finished", "failed"],
  pausing: ["paused", "stopping", "finished", "failed"],
  // One that comes from the disk is prepared again.
  paused: ["running", "preparing", "stopping", "finished", "failed"],
  stopping: ["finished", "failed"],
  finished: [],
  failed: [],
};

const TRAINING: readonly Phase[] = ["running", "pausing", "stopping"];

/** Whether a run is neither over nor not begun. */
export const isLive = (phase: Phase): boolean => NEXT[phase].length > 0 && phase !== "idle";

/** Whether one phase may follow another. */
export const mayFollow = (from: Phase, to: Phase): boolean => NEXT[from].includes(to);

/** The run after an event of it. Events of other kinds change nothing. */
export function reduce(state: RunState, event: EngineEvent): RunState {
  switch (event.type) {
    case "state":
      return entered(state, event);
    case "steps": {
      const last = event.steps.at(-1);
      if (!last) return state;
      const firstLoss = state.firstLoss ?? event.steps[0]!.loss ?? undefined;
      return { ...state, step: last.step, last, firstLoss };
    }
    case "eval":
      if (event.loss === null) return state;
      return {
        ...state,
        lastEval: event.loss,
        ...(event.isBest && { bestEval: { step: event.step, loss: event.loss } }),
      };
    case "checkpoint":
      return { ...state, checkpoints: [...new Set([...state.checkpoints, event.step])].toSorted((a, b) => a - b) };
    case "recovered":
      return { ...state, recovered: { step: event.step, checkpoint: event.checkpoint } };
    case "verified":
      return { ...state, verified: { steps: event.steps, differs: event.differs } };
    case "sample": {
      const { step, prompt, text } = event;
      return { ...state, samples: [...state.samples, { step, prompt, text }] };
    }
    default:
      return state;
  }
}

function entered(
  state: RunState,
  { phase, step, maxSteps, at, seconds = state.seconds, failure }: Extract<EngineEvent, { type: "state" }>,
): RunState {
  const was = TRAINING.includes(state.phase);
  const is = TRAINING.includes(phase);
  const passed = was && !is && state.since !== undefined ? (at - state.since) / 1000 : 0;
  return {
    ...state,
    phase,
    step,
    maxSteps,
    failure,
    seconds: seconds + passed,
    recovered: phase === "running" ? undefined : state.recovered,
    since: is ? (was ? state.since : at) : undefined,
  };
}
