import * as v from "valibot";
import { PHASES, STEP, type Step } from "../protocol/events.js";
import { CONFIG, COUNT, ID, SOURCE, VERSION } from "../protocol/values.js";

/** `run.json`: what a run was started with, and where it stood when that was last written. */
export const STORED_RUN = v.strictObject({
  v: VERSION,
  id: ID,
  /** Milliseconds since 1970. */
  createdAt: v.number(),
  source: SOURCE,
  config: CONFIG,
  phase: v.picklist(PHASES),
  maxSteps: COUNT,
  /** Seconds of training so far. */
  seconds: v.number(),
  /** Where it was made: equal bits are promised there alone. */
  backend: v.string(),
});
/** What is stored of a run. */
export type StoredRun = v.InferOutput<typeof STORED_RUN>;

/** A line of `metrics.jsonl`. */
export const parseStep = (line: string): Step | undefined => {
  try {
    const read = v.safeParse(STEP, JSON.parse(line));
    return read.success ? read.output : undefined;
  } catch {
    return undefined; // the last line of a tab that was killed may be cut
  }
};

/** Runs on a disk: `run.json`, `metrics.jsonl`, and checkpoints that are whole or not there. */
export interface RunStore {
  /** All runs, the oldest first. What was not finished of a checkpoint is removed. */
  list(): Promise<StoredRun[]>;
  /** Writes `run.json`; it appears whole. */
  write(run: StoredRun): Promise<void>;
  /** Adds steps to `metrics.jsonl`. */
  append(id: string, steps: readonly Step[]): Promise<void>;
  /** Steps as they were added: those that were made again come again. */
  steps(id: string): Promise<Step[]>;
  /** Stores the files of a checkpoint, the last of them last. @returns bytes */
  saveCheckpoint(id: string, step: number, files: ReadonlyMap<string, Blob>): Promise<number>;
  /** Steps of the whole checkpoints, ascending. */
  checkpoints(id: string): Promise<number[]>;
  /** The files of a checkpoint by name. */
  readCheckpoint(id: string, step: number): Promise<Map<string, Blob>>;
  removeCheckpoint(id: string, step: number): Promise<void>;
}
