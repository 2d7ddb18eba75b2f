import { planEpoch } from "@weft/datasets";
import type { Tokenizer } from "@weft/tokenizers";
import type { Batch } from "@weft/training";
import { BATCH_SIZE, LENGTH, SEED } from "./recipes.js";
import { END } from "./tokenizer.js";

/** Texts as one sequence of tokens, each with its end. */
export function tokensOf(texts: readonly string[], tokenizer: Tokenizer): number[] {
  const end = tokenizer.tokenToId(END)!;
  return texts.flatMap((text) => [...tokenizer.encode(text, { addSpecialTokens: false }).ids, end]);
}

/** A sequence cut into rows of one length; what is left at its end is not used. */
export const rowsOf = (tokens: readonly number[]): number[][] =>
  Array.from({ length: Math.floor(tokens.length / LENGTH) }, (_, i) => tokens.slice(i * LENGTH, (i + 1) * LENGTH));

/** The batches of an epoch, in an order of its own. */
export function* batchesOf(rows: readonly number[][], epoch: number, shuffle = true): Generator<Batch> {
  const lengths = new Float64Array(rows.length).fill(LENGTH);
  for (const planned of planEpoch(lengths, { batchSize: BATCH_SIZE, seed: SEED, shuffle, dropLast: shuffle }, epoch)) {
    const inputIds = planned.map(([i]) => rows[i!]!);
    yield { inputIds, labels: inputIds };
  }
}
