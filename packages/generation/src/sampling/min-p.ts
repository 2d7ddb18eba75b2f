import { maximum } from "./softmax.js";

/**
 * Excludes tokens that are less likely than `p` times the likeliest: l < max + log p.
 * @param logits [vocab], changed in place
 * @param p above 0, up to 1
 * @see Nguyen et al., "Turning Up the Heat: Min-p Sampling" (2025); transformers `MinPLogitsWarper`
 */
export function minP(logits: Float32Array, p: number): void {
  const least = maximum(logits) + Math.log(p);
  for (let i = 0; i < logits.length; i++) if (logits[i]! < least) logits[i] = -Infinity;
}
