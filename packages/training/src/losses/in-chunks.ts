import { checkpoint, ConfigError, slice, type Tensor } from "@weft/tensor-core";

/** Logits that may exist at once unless told otherwise: 32 MB in f32. */
const MAX_LOGITS = 2 ** 23;

/**
 * A function of tokens, piece by piece, so that logits [tokens, vocabulary] never exist whole: each piece is computed again in the backward pass.
 * @param chunkTokens tokens of a piece; as many as have 2²³ logits if not given
 * @param f of the rows of each tensor, in pieces of one length but for the last
 */
export function inChunks(
  rows: readonly Tensor[],
  { vocabulary, chunkTokens }: { readonly vocabulary: number; readonly chunkTokens: number | undefined },
  f: (...rows: Tensor[]) => Tensor,
): Tensor[] {
  const most = chunkTokens ?? Math.max(1, Math.floor(MAX_LOGITS / vocabulary));
  if (!Number.isInteger(most) || most < 1) throw new ConfigError(`lossChunkTokens is ${most}, expected a whole number from 1 on`);
  const tokens = rows[0]!.shape[0]!;
  if (tokens <= most) return [f(...rows)];
  const each = Math.ceil(tokens / Math.ceil(tokens / most));
  const pieces: Tensor[] = [];
  for (let from = 0; from < tokens; from += each)
    pieces.push(checkpoint(() => f(...rows.map((t) => slice(t, [[from, Math.min(tokens, from + each)]]))))());
  return pieces;
}
