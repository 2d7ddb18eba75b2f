/**
 * Adds to the logits of single tokens: OpenAI's `logit_bias`, transformers' `sequence_bias` of sequences of one token.
 * @param logits [vocab], changed in place
 * @param bias by token id; ids beyond the row are left out
 */
export function logitBias(logits: Float32Array, bias: ReadonlyMap<number, number>): void {
  for (const [token, value] of bias) if (token < logits.length) logits[token]! += value;
}
