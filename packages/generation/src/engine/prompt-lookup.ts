/** How guesses are looked up. */
export interface PromptLookupOptions {
  /** So many tokens are guessed at most; transformers' `prompt_lookup_num_tokens`. 6 if not given. */
  readonly numTokens?: number;
  /** The longest end of the text that is looked for, and the shortest; transformers' `max_matching_ngram_size`. 3 and 1 if not given. */
  readonly maxMatchingNgramSize?: number;
  readonly minMatchingNgramSize?: number;
}

/**
 * Guesses of the next tokens: those that followed where the end of the text stood before, the latest place of the longest end. Texts that repeat their prompt (summaries,
 * edits, answers that quote) are run in fewer steps; what is generated stays what it is.
 * @returns a `draft` of a request
 * @see Saxena 2023, "Prompt Lookup Decoding"; transformers `PromptLookupCandidateGenerator`
 */
export function promptLookup({ numTokens = 6, maxMatchingNgramSize = 3, minMatchingNgramSize = 1 }: PromptLookupOptions = {}): (
  tokens: readonly number[],
) => readonly number[] {
  return (tokens) => {
    const end = tokens.length;
    for (let size = Math.min(maxMatchingNgramSize, end - 1); size >= minMatchingNgramSize; size--)
      for (let at = end - size - 1; at >= 0; at--) {
        let same = 0;
        while (same < size && tokens[at + same] === tokens[end - size + same]) same++;
        if (same === size) return tokens.slice(at + size, at + size + numTokens);
      }
    return [];
  };
}
