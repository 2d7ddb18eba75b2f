import type { Field } from "../json/fields.js";
import { optionError } from "../tokenizer-error.js";
import { addedTokens, concatenate, type Encoding } from "./encoding.js";

/** How encodings are brought to a length. */
export interface Padding {
  /** Tokens that each has after it; those of the longest of the batch if not given. */
  readonly length?: number | undefined;
  /** The length is brought to a multiple of this. */
  readonly padToMultipleOf?: number | undefined;
  /** At which end padding is put; right if not given. */
  readonly direction?: "right" | "left";
  /** 0 if not given. */
  readonly padId?: number;
  /** 0 if not given. */
  readonly padTypeId?: number;
  /** `[PAD]` if not given. */
  readonly padToken?: string;
}

/** `padding` of a file. */
export function readPadding(field: Field): Padding {
  const strategy = field.at("strategy");
  const length = strategy.value instanceof Map ? strategy.at("Fixed").integer() : undefined;
  if (length === undefined) strategy.oneOf(["BatchLongest"]);
  const multiple = field.at("pad_to_multiple_of");
  return {
    length,
    padToMultipleOf: multiple.absent ? undefined : multiple.integer(),
    direction: field.at("direction").oneOf(["Right", "Left"]) === "Left" ? "left" : "right",
    padId: field.at("pad_id").integer(),
    padTypeId: field.at("pad_type_id").integer(),
    padToken: field.at("pad_token").string(),
  };
}

/** Encodings of one length. @throws ConfigError kind `tokenizer-option` */
export function pad(encodings: readonly Encoding[], padding: Padding): Encoding[] {
  const { length, padToMultipleOf = 0, direction = "right", padId = 0, padTypeId = 0, padToken = "[PAD]" } = padding;
  for (const [name, value] of Object.entries({ length: length ?? 0, padToMultipleOf, padId, padTypeId }))
    if (!Number.isSafeInteger(value) || value < 0) throw optionError(`padding: ${name} is ${value}, expected an integer from 0`);
  let target = length ?? encodings.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  if (padToMultipleOf > 0) target = Math.ceil(target / padToMultipleOf) * padToMultipleOf;
  const fill = (encoding: Encoding): Encoding => {
    const overflowing = encoding.overflowing.map(fill);
    const missing = target - encoding.ids.length;
    if (missing <= 0) return { ...encoding, overflowing };
    const one = { ...encoding, overflowing: [] };
    const added = addedTokens(new Array<number>(missing).fill(padId), new Array<string>(missing).fill(padToken), padTypeId, 0);
    return { ...concatenate(direction === "left" ? [added, one] : [one, added]), overflowing };
  };
  return encodings.map(fill);
}
