import * as v from "valibot";
import { EVENT, PHASES } from "./events.js";
import { INSPECTION, LENS, PLAN, REFUSED } from "./answers.js";
import { CONFIG, COUNT, DEVICE, DOCUMENT, FAILURE, FILES, ID, SOURCE, TINY, VERSION } from "./values.js";

const base = { v: VERSION, id: ID };
const ofRun = { ...base, run: ID };

/** What a page asks of the engine. */
export const COMMAND = v.variant("type", [
  /** Who is there; events from `since` on come again. */
  v.strictObject({ ...base, type: v.literal("hello"), since: COUNT }),
  v.strictObject({ ...base, type: v.literal("open"), source: v.union([TINY, FILES]) }),
  v.strictObject({ ...base, type: v.literal("close"), document: ID }),
  v.strictObject({ ...base, type: v.literal("inspect"), document: ID }),
  /** What would be learnt of some examples, token by token, and of all. */
  v.strictObject({
    ...base,
    type: v.literal("lens"),
    source: SOURCE,
    config: CONFIG,
    from: COUNT,
    count: v.pipe(COUNT, v.maxValue(20)),
  }),
  /** What a training would take. */
  v.strictObject({ ...base, type: v.literal("plan"), source: SOURCE, config: CONFIG }),
  v.strictObject({ ...base, type: v.literal("start"), source: SOURCE, config: CONFIG }),
  v.strictObject({ ...ofRun, type: v.literal("pause") }),
  v.strictObject({ ...ofRun, type: v.literal("resume") }),
  v.strictObject({ ...ofRun, type: v.literal("stop") }),
  /** Saves where it stands, as soon as the step under way is done. */
  v.strictObject({ ...ofRun, type: v.literal("checkpoint") }),
]);
/** What a page asks of the engine. */
export type Command = v.InferOutput<typeof COMMAND>;
/** Kinds of commands. */
export type CommandType = Command["type"];
/** A command of one kind without what every message has. */
export type CommandBody<T extends CommandType> = Omit<Extract<Command, { type: T }>, "v" | "id" | "type">;

/** A run as it is listed: what it was started with, and where it stands. */
export const RUN = v.strictObject({
  id: ID,
  /** Milliseconds since 1970. */
  createdAt: v.number(),
  source: SOURCE,
  config: CONFIG,
  phase: v.picklist(PHASES),
  step: COUNT,
  maxSteps: COUNT,
});
/** A run as it is listed. */
export type RunSummary = v.InferOutput<typeof RUN>;

/** What each command answers. */
export const ANSWERS = {
  hello: v.strictObject({ device: DEVICE, documents: v.array(DOCUMENT), runs: v.array(RUN), seq: COUNT }),
  open: v.strictObject({ documents: v.array(DOCUMENT), opened: v.array(ID), refused: v.array(REFUSED) }),
  close: v.strictObject({ documents: v.array(DOCUMENT) }),
  inspect: INSPECTION,
  lens: LENS,
  plan: PLAN,
  start: v.strictObject({ run: RUN }),
  pause: v.strictObject({}),
  resume: v.strictObject({}),
  stop: v.strictObject({}),
  checkpoint: v.strictObject({}),
} as const satisfies { readonly [T in CommandType]: v.GenericSchema };
/** What a command answers. */
export type Answer<T extends CommandType> = v.InferOutput<(typeof ANSWERS)[T]>;

/** The answer to a command; which kind it is of, the asker knows. */
export const REPLY = v.union([
  v.strictObject({ v: VERSION, id: ID, ok: v.unknown() }),
  v.strictObject({ v: VERSION, id: ID, error: FAILURE }),
]);
/** The answer to a command. */
export type Reply = v.InferOutput<typeof REPLY>;

/** All that comes from the engine. */
export const MESSAGE = v.union([v.strictObject({ reply: REPLY }), v.strictObject({ event: EVENT })]);
/** All that comes from the engine. */
export type Message = v.InferOutput<typeof MESSAGE>;
