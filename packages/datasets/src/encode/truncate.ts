import { optionError } from "../data-error.js";
import { IGNORED } from "./encoded.js";

/** What of an example's tokens is kept: from, to. */
export function keptRange(labels: Int32Array, maxLength: number | undefined, side: "left" | "right" | "answer"): readonly [number, number] {
  const { length } = labels;
  if (maxLength === undefined || length <= maxLength) return [0, length];
  if (!Number.isInteger(maxLength) || maxLength < 2) throw optionError(`maxLength is ${maxLength}, expected an integer of at least 2`);
  if (side === "right") return [0, maxLength];
  if (side === "left") return [length - maxLength, length];
  const first = labels.findIndex((label) => label !== IGNORED);
  // A token stays in front of the answer: it is what predicts the first.
  const from = first < 0 ? 0 : Math.min(Math.max(first - 1, 0), length - maxLength);
  return [from, from + maxLength];
}
