import { candidates } from "./softmax.js";

/** Excludes tokens less likely than a threshold, but not the likeliest. */
function cutOff(logits: Float32Array, threshold: (probabilities: Float64Array) => number): void {
  const { tokens, probabilities } = candidates(logits);
  const least = Math.min(
    threshold(probabilities),
    probabilities.reduce((a, b) => Math.max(a, b), 0),
  );
  for (let n = 0; n < tokens.length; n++) if (probabilities[n]! < least) logits[tokens[n]!] = -Infinity;
}

/**
 * Excludes tokens less likely than epsilon; the likeliest stays.
 * @param logits [vocab], changed in place
 * @see Hewitt et al., "Truncation Sampling as Language Model Desmoothing" (2022); transformers `EpsilonLogitsWarper`
 */
export const epsilonCutoff = (logits: Float32Array, epsilon: number): void => cutOff(logits, () => epsilon);

/**
 * Excludes tokens less likely than min(epsilon, √epsilon·exp(−entropy)); the likeliest stays.
 * @param logits [vocab], changed in place
 * @see the same; transformers `EtaLogitsWarper`
 */
export const etaCutoff = (logits: Float32Array, epsilon: number): void =>
  cutOff(logits, (probabilities) => {
    let entropy = 0;
    for (const p of probabilities) if (p > 0) entropy -= p * Math.log(p);
    return Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy));
  });
