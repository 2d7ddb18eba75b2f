/**
 * OpenAI's penalties: l − count·frequency − (count > 0)·presence, with how often a token has been generated.
 * @param logits [vocab], changed in place
 * @param generated the tokens behind the prompt; ids beyond the row are left out
 * @param penalties `presence` once for each token that is there, `frequency` as often as it is there
 * @see OpenAI API reference, "frequency and presence penalties"; vLLM counts generated tokens alone, too
 */
export function presenceAndFrequencyPenalty(
  logits: Float32Array,
  generated: Iterable<number>,
  penalties: { readonly presence: number; readonly frequency: number },
): void {
  const { presence, frequency } = penalties;
  const counts = new Map<number, number>();
  for (const token of generated) if (token < logits.length) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const [token, count] of counts) logits[token]! -= count * frequency + presence;
}
