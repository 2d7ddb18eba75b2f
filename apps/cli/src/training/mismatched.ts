import { IGNORED, type Sequence } from "@weft/datasets";

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
    const join = (prompt: Int32Array, completion: Int32Array): Int32Array =>
      Int32Array.from([...prompt, ...completion]).subarray(0, length);
    return {
      ids: join(ids.subarray(0, own), other.ids.subarray(from)),
      labels: join(new Int32Array(own).fill(IGNORED), other.labels.subarray(from)),
    };
  });
}

/** Tokens before the first that is trained on. */
const promptLength = ({ labels }: Sequence): number => labels.findIndex((label) => label !== IGNORED);
