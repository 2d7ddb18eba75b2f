import * as v from "valibot";
import { COUNT, FAILURE } from "./values.js";

/** What was dropped and cannot be opened, with why. */
export const REFUSED = v.strictObject({ name: v.string(), failure: FAILURE });
/** What was dropped and cannot be opened, with why. */
export type Refused = v.InferOutput<typeof REFUSED>;

/** What is in a file: tensors as their headers say, nothing of their values is read. */
export const INSPECTION = v.strictObject({
  tensors: v.array(v.strictObject({ name: v.string(), dtype: v.string(), shape: v.array(COUNT), bytes: COUNT })),
  /** Of an adapter: how it fits each model that is open. */
  fits: v.array(v.strictObject({ model: v.string(), lines: v.array(v.string()), whole: v.boolean() })),
});
/** What is in a file. */
export type Inspection = v.InferOutput<typeof INSPECTION>;

/** A token as the lens of @weft/datasets shows it. */
export const LENS_TOKEN = v.strictObject({
  id: COUNT,
  text: v.string(),
  offset: v.tuple([COUNT, COUNT]),
  /** -100 where nothing is trained on. */
  label: v.number(),
  cut: v.boolean(),
  role: v.optional(v.string()),
  beginsTurn: v.boolean(),
});
/** A token as it is shown. */
export type LensToken = v.InferOutput<typeof LENS_TOKEN>;

/** An example with what is learnt of it. */
export const LENS_EXAMPLE = v.strictObject({
  place: v.string(),
  tokens: v.array(LENS_TOKEN),
  trained: COUNT,
  seen: COUNT,
  endTrained: v.optional(v.boolean()),
  warnings: v.array(v.string()),
});
/** An example with what is learnt of it. */
export type LensExample = v.InferOutput<typeof LENS_EXAMPLE>;

/** What would be learnt: of all, why that would be in vain, and of some examples. */
export const LENS = v.strictObject({
  coverage: v.strictObject({
    examples: COUNT,
    tokens: COUNT,
    trained: COUNT,
    share: v.number(),
    untrained: COUNT,
    end: v.strictObject({ trained: COUNT, untrained: COUNT, unknown: COUNT }),
    truncated: v.strictObject({ count: COUNT, tokens: COUNT }),
    longest: COUNT,
    median: COUNT,
  }),
  refusals: v.array(FAILURE),
  examples: v.array(LENS_EXAMPLE),
});
/** What would be learnt. */
export type LensAnswer = v.InferOutput<typeof LENS>;

/** How a training would take less memory: what is changed, to what, and the bytes then. */
export const OFFER = v.strictObject({ name: v.string(), value: v.optional(v.number()), bytes: COUNT });
/** How a training would take less memory. */
export type Offer = v.InferOutput<typeof OFFER>;

/** What a training would take. */
export const PLAN = v.strictObject({
  steps: COUNT,
  /** PEFT's line: trainable parameters, all, and the share. */
  trainable: v.string(),
  peakBytes: COUNT,
  weightBytes: COUNT,
  stateBytes: COUNT,
  seconds: v.number(),
  secondsPerStep: v.number(),
  offers: v.array(OFFER),
});
/** What a training would take. */
export type Plan = v.InferOutput<typeof PLAN>;
