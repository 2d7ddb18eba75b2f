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

/** Where a model comes from. */
export const SOURCE = v.strictObject({ tiny: v.picklist(["llama"]) });
/** Where a model comes from. */
export type Source = v.InferOutput<typeof SOURCE>;

/** What was opened: a model, or data to train on. */
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
  v.strictObject({ kind: v.literal("data"), id: ID, name: v.string(), bytes: COUNT, examples: COUNT, tokens: COUNT, trained: COUNT }),
]);
/** What was opened: a model, or data to train on. */
export type OpenedDocument = v.InferOutput<typeof DOCUMENT>;
/** A model that was opened. */
export type ModelDocument = Extract<OpenedDocument, { kind: "model" }>;
/** Data that were opened. */
export type DataDocument = Extract<OpenedDocument, { kind: "data" }>;

/** Where it computes. */
export const DEVICE = v.strictObject({ backend: v.string(), threads: COUNT, isolated: v.boolean(), bytes: COUNT });
/** Where it computes. */
export type DeviceState = v.InferOutput<typeof DEVICE>;
