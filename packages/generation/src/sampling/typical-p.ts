import { keyAtMass } from "./by-mass.js";
import { candidates } from "./softmax.js";

/**
 * Locally typical sampling: keeps tokens whose surprise, −log p, is nearest to the entropy, as many as are together as likely as `mass`; all that are as near as
 * the last of them stay.
 * @param logits [vocab], changed in place
 * @param mass above 0, up to 1
 * @see Meister et al., "Locally Typical Sampling" (2023); transformers `TypicalLogitsWarper`
 */
export function typicalP(logits: Float32Array, mass: number): void {
  const { tokens, probabilities } = candidates(logits);
  const nearness = new Float64Array(tokens.length);
  let entropy = 0;
  for (let n = 0; n < tokens.length; n++) {
    const [p, log] = [probabilities[n]!, Math.log(probabilities[n]!)];
    nearness[n] = log;
    if (p > 0) entropy -= p * log;
  }
  for (let n = 0; n < tokens.length; n++) nearness[n] = -Math.abs(nearness[n]! + entropy);
  const least = keyAtMass(nearness, probabilities, mass);
  for (let n = 0; n < tokens.length; n++) if (nearness[n]! < least) logits[tokens[n]!] = -Infinity;
}
