/** The largest of a row; −∞ of none. */
export function maximum(logits: Float32Array): number {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > most) most = logits[i]!;
  return most;
}

/** log Σ exp(l), in f64; NaN if the row holds NaN or +∞, −∞ if it holds nothing but −∞. */
export function logSumExp(logits: Float32Array): number {
  const most = maximum(logits);
  if (most === Infinity) return NaN;
  let sum = 0;
  // −∞ adds nothing, but NaN has to come through.
  for (let i = 0; i < logits.length; i++) if (logits[i] !== -Infinity) sum += Math.exp(logits[i]! - most);
  return sum === 0 ? -Infinity : most + Math.log(sum);
}

/** The tokens of a row that are not excluded (whose logit is not −∞), with their probabilities, in f64. */
export interface Candidates {
  /** [n], ascending. */
  readonly tokens: Int32Array;
  /** [n] */
  readonly probabilities: Float64Array;
}

/** The softmax of a row over what is not excluded from it. */
export function candidates(logits: Float32Array): Candidates {
  const most = maximum(logits);
  let count = 0;
  for (let i = 0; i < logits.length; i++) if (logits[i] !== -Infinity) count++;
  const tokens = new Int32Array(count);
  const probabilities = new Float64Array(count);
  let sum = 0;
  for (let i = 0, n = 0; i < logits.length; i++) {
    if (logits[i] === -Infinity) continue;
    tokens[n] = i;
    sum += probabilities[n++] = Math.exp(logits[i]! - most);
  }
  for (let n = 0; n < count; n++) probabilities[n]! /= sum;
  return { tokens, probabilities };
}
