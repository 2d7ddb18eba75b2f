/**
 * Excludes tokens that would complete a sequence of `size` tokens that is there already.
 * @param logits [vocab], changed in place
 * @param tokens all so far, those of the prompt included
 * @see transformers `NoRepeatNGramLogitsProcessor`
 */
export function noRepeatNgram(logits: Float32Array, tokens: readonly number[], size: number): void {
  const begin = tokens.length - (size - 1);
  for (let from = 0; from < begin; from++) {
    let same = 0;
    while (same < size - 1 && tokens[from + same] === tokens[begin + same]) same++;
    const banned = tokens[from + size - 1]!;
    if (same === size - 1 && banned < logits.length) logits[banned] = -Infinity;
  }
}
