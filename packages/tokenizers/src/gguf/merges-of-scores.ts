/**
 * Merges that join tokens to tokens in the order of SentencePiece's scores: every way to take a token apart into two others, the best token first.
 * @see transformers `convert_slow_tokenizer.py` generate_merges
 */
export function mergesOfScores(tokens: readonly string[], scores: ArrayLike<number>): (readonly [string, string])[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: { left: string; right: string; score: number; l: number; r: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    const ways: typeof merges = [];
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      const [l, r] = [ids.get(left), ids.get(right)];
      if (l !== undefined && r !== undefined) ways.push({ left, right, score: scores[id]!, l, r });
    }
    ways.sort((a, b) => a.l - b.l || a.r - b.r);
    for (const way of ways) merges.push(way);
  }
  const points = (text: string): number => [...text].length;
  // Stable, so that of equal ones those of the first token come first.
  merges.sort((a, b) => b.score - a.score || points(b.left) - points(a.left) || points(b.right) - points(a.right));
  return merges.map(({ left, right }) => [left, right] as const);
}
