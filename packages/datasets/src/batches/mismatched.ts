import { IGNORED } from "../encode/encoded.js";
import type { Sequence } from "./batch.js";

/**
 * Each prompt with the completion of the example after it, from which KTO estimates how far the policy is from the reference.
 * @param length tokens of a row at most: what is longer loses its end
 * @see trl `trainer/kto_trainer.py`
 */
export function mismatched(examples: readonly Sequence[], length: number): Sequence[] {
  return examples.map(({ ids }, i) => {
    const own = promptLength(examples[i]!);
    const other = examples[(i + 1) % examples.length]!;
    const from = promptLength(other);
    return {
      ids: joined(ids.subarray(0, own), other.ids.subarray(from), length),
      labels: joined(new Int32Array(own).fill(IGNORED), other.labels.subarray(from), length),
    };
  });
}

/** Tokens before the first that is trained on. */
const promptLength = ({ labels }: Sequence): number => labels.findIndex((label) => label !== IGNORED);

/** The first `length` of both. */
const joined = (prompt: Int32Array, completion: Int32Array, length: number): Int32Array =>
  Int32Array.from([...prompt, ...completion]).subarray(0, length);
