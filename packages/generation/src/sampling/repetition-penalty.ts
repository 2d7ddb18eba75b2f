/**
 * Every token that has been seen, once however often: l < 0 ? l·penalty : l / penalty.
 * @param logits [vocab], changed in place
 * @param tokens all so far, those of the prompt included; ids beyond the row are left out
 * @param penalty above 1 against repeats, below 1 in favour of them
 * @see Keskar et al., "CTRL" (2019), section 4.1; transformers `RepetitionPenaltyLogitsProcessor`
 */
export function repetitionPenalty(logits: Float32Array, tokens: Iterable<number>, penalty: number): void {
  const seen = new Uint8Array(logits.length);
  for (const token of tokens) {
    if (token >= logits.length || seen[token] === 1) continue;
    seen[token] = 1;
    const logit = logits[token]!;
    logits[token] = logit < 0 ? logit * penalty : logit / penalty;
  }
}
