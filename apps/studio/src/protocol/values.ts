import * as v from "valibot";

/** Version of the protocol; every message says it. */
export const VERSION = v.literal(1);

/** Name of a command, run or document: made by us, never a path. */
export const ID = v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/, "expected an id"));

/** A whole number from 0 up. */
export const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A number, of losses also one that is none: JSON and messages carry it as null. */
export const NUMBER = v.nullable(v.number());

/** A text of a reasonable length. */
export const TEXT = v.pipe(v.string(), v.maxLength(100_000));

/** A failure as it is told: what, and what to do. */
export const FAILURE = v.strictObject({ kind: v.string(), message: v.string(), hint: v.optional(v.string()) });
/** A failure as it is told. */
export type Failure = v.InferOutput<typeof FAILURE>;

/** Settings of a training under the names of `weft train`'s file. */
export const CONFIG = v.record(v.pipe(v.string(), v.maxLength(100)), v.unknown());
/** Settings of a training under the names of `weft train`'s file. */
export type Config = v.InferOutput<typeof CONFIG>;

/** The model that comes with the studio, and the text that it learns from. */
export const TINY = v.strictObject({ tiny: v.picklist(["llama"]) });

/** A document by its id, with the name that it had: it may not be open any more. */
const NAMED = v.strictObject({ id: ID, name: TEXT });

/** What is trained on what. */
export const SOURCE = v.union([TINY, v.strictObject({ model: NAMED, data: NAMED })]);
/** What is trained on what. */
export type Source = v.InferOutput<typeof SOURCE>;

/** Files that were put before, with their paths in what was dropped. */
export const FILES = v.strictObject({
  files: v.pipe(v.array(v.strictObject({ file: ID, path: v.pipe(v.string(), v.maxLength(10_000)) })), v.maxLength(10_000)),
});

/** What was opened: a model, an adapter, or data to train on. Ids are made of what files hold: opened again, it has the same. */
export const DOCUMENT = v.variant("kind", [
  v.strictObject({
    kind: v.literal("model"),
    id: ID,
    name: v.string(),
    modelType: v.string(),
    parameters: COUNT,
    bytes: COUNT,
    layers: COUNT,
    width: COUNT,
    vocabulary: COUNT,
  }),
  v.strictObject({ kind: v.literal("data"), id: ID, name: v.string(), bytes: COUNT, rows: COUNT }),
  v.strictObject({
    kind: v.literal("adapter"),
    id: ID,
    name: v.string(),
    bytes: COUNT,
    method: v.string(),
    rank: v.nullable(v.number()),
    modules: COUNT,
    /** What its config says that it was made for. */
    base: v.nullable(v.string()),
  }),
]);
/** What was opened. */
export type OpenedDocument = v.InferOutput<typeof DOCUMENT>;
/** A model that was opened. */
export type ModelDocument = Extract<OpenedDocument, { kind: "model" }>;
/** Data that were opened. */
export type DataDocument = Extract<OpenedDocument, { kind: "data" }>;
/** An adapter that was opened. */
export type AdapterDocument = Extract<OpenedDocument, { kind: "adapter" }>;

/** Where it computes. */
export const DEVICE = v.strictObject({ backend: v.string(), threads: COUNT, isolated: v.boolean(), bytes: COUNT });
/** Where it computes. */
export type DeviceState = v.InferOutput<typeof DEVICE>;
