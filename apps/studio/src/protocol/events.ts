import * as v from "valibot";
import { COUNT, DEVICE, FAILURE, ID, NUMBER, TEXT, VERSION } from "./values.js";

/** Where a run stands. */
export const PHASES = ["idle", "preparing", "running", "pausing", "paused", "stopping", "finished", "failed"] as const;
/** Where a run stands. */
export type Phase = (typeof PHASES)[number];

/** One step, as it is drawn. A loss that is no number is null. */
export const STEP = v.strictObject({
  step: COUNT,
  loss: NUMBER,
  lr: v.number(),
  gradNorm: NUMBER,
  /** Labels that the loss is a mean of. */
  tokens: COUNT,
  tokPerS: v.number(),
  /** Of the device, after it. */
  bytes: COUNT,
});
/** One step, as it is drawn. */
export type Step = v.InferOutput<typeof STEP>;

/** Every event has a number, and the run that it is of. */
const base = { v: VERSION, seq: COUNT, run: v.nullable(ID) };

/** What the engine tells without being asked. */
export const EVENT = v.variant("type", [
  v.strictObject({
    ...base,
    type: v.literal("state"),
    phase: v.picklist(PHASES),
    step: COUNT,
    maxSteps: COUNT,
    /** Milliseconds since 1970. */
    at: v.number(),
    /** Of training until then, of a run that comes from the disk. */
    seconds: v.optional(v.number()),
    failure: v.optional(FAILURE),
  }),
  v.strictObject({ ...base, type: v.literal("progress"), what: v.string(), done: COUNT, total: COUNT }),
  v.strictObject({ ...base, type: v.literal("steps"), steps: v.array(STEP) }),
  v.strictObject({ ...base, type: v.literal("eval"), step: COUNT, loss: NUMBER, isBest: v.boolean() }),
  v.strictObject({ ...base, type: v.literal("checkpoint"), step: COUNT, bytes: COUNT }),
  /** A run was interrupted after a step; it goes on from a checkpoint, 0 for the beginning, and compares what it repeats. */
  v.strictObject({ ...base, type: v.literal("recovered"), step: COUNT, checkpoint: COUNT }),
  /** Steps that were made again, and the first whose loss was another one. */
  v.strictObject({ ...base, type: v.literal("verified"), steps: COUNT, differs: v.nullable(COUNT) }),
  v.strictObject({ ...base, type: v.literal("sample"), step: COUNT, prompt: TEXT, text: TEXT }),
  v.strictObject({ ...base, type: v.literal("notice"), kind: v.string(), message: v.string() }),
  v.strictObject({ ...base, type: v.literal("device"), device: DEVICE }),
]);
/** What the engine tells without being asked. */
export type EngineEvent = v.InferOutput<typeof EVENT>;
/** An event before it has a number. */
export type NewEvent = EngineEvent extends infer E ? (E extends EngineEvent ? Omit<E, "v" | "seq"> : never) : never;
