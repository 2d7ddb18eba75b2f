import { optionError } from "../data-error.js";
import { hashOf, keyed } from "./random.js";

/** How examples are divided. */
export interface SplitOptions<T> {
  /** Share of the examples that are for evaluation, 0 to 1. */
  readonly share: number;
  /** Another seed gives another division; 0 if not given. */
  readonly seed?: number;
  /** What stays together, as the conversation or the author: all examples of one key are in one part. The example's own content if not given. */
  readonly key?: (example: T) => string;
}

/** Whether an example is for evaluation. It depends on key and seed alone: an example stays where it is when others come or go. */
export function isForEvaluation<T>(example: T, { share, seed = 0, key }: SplitOptions<T>): boolean {
  if (!(share >= 0 && share <= 1)) throw optionError(`share is ${share}, expected 0 to 1`);
  const own = key?.(example) ?? contentOf(example);
  return keyed(seed, hashOf(own)) < share * 2 ** 32;
}

/** An example without where it stands: one content is in one part however often it is there. */
function contentOf(example: unknown): string {
  if (typeof example !== "object" || example === null) return String(example);
  return JSON.stringify(example, (name, value: unknown) =>
    name === "place" ? undefined : ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value,
  );
}

/** Examples for training and for evaluation. @throws ConfigError kind `dataset-option` */
export function splitExamples<T>(examples: readonly T[], options: SplitOptions<T>): { readonly train: T[]; readonly evaluation: T[] } {
  const evaluates = examples.map((example) => isForEvaluation(example, options));
  return { train: examples.filter((_, i) => !evaluates[i]), evaluation: examples.filter((_, i) => evaluates[i]) };
}
