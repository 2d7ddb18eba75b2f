/**
 * Excludes tokens: transformers' `suppress_tokens`, and the end tokens while there are fewer than `min_new_tokens`.
 * @param logits [vocab], changed in place
 * @param tokens ids beyond the row are left out
 */
export function suppressTokens(logits: Float32Array, tokens: Iterable<number>): void {
  for (const token of tokens) if (token < logits.length) logits[token] = -Infinity;
}
