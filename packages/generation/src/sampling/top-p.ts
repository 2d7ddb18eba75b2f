import { keyAtMass } from "./by-mass.js";
import { candidates } from "./softmax.js";

/**
 * Nucleus sampling: keeps the fewest tokens, the likeliest first, that are together at least as likely as p. Of equally likely ones those with lower ids are kept.
 * @param logits [vocab], changed in place
 * @param p above 0, up to 1
 * @see Holtzman et al., "The Curious Case of Neural Text Degeneration" (2020); transformers `TopPLogitsWarper`
 */
export function topP(logits: Float32Array, p: number): void {
  const { tokens, probabilities } = candidates(logits);
  const least = keyAtMass(probabilities, probabilities, p);
  let mass = 0;
  for (let n = 0; n < tokens.length; n++) if (probabilities[n]! > least) mass += probabilities[n]!;
  for (let n = 0; n < tokens.length; n++) {
    const probability = probabilities[n]!;
    if (probability > least) continue;
    if (probability === least && mass < p) mass += probability;
    else logits[tokens[n]!] = -Infinity;
  }
}
