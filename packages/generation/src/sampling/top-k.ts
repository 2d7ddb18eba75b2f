import { largest } from "./largest.js";

/**
 * Keeps the k largest; all that are equal to the last of them stay.
 * @param logits [vocab], changed in place
 * @see transformers `TopKLogitsWarper`
 */
export function topK(logits: Float32Array, k: number): void {
  if (k >= logits.length) return;
  const least = logits[largest(logits, k).at(-1)!]!;
  for (let i = 0; i < logits.length; i++) if (logits[i]! < least) logits[i] = -Infinity;
}
