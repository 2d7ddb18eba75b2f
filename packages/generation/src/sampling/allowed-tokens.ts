import type { Bitset } from "../bitset.js";

/**
 * Excludes all tokens but those of a set, as a constraint gives it.
 * @param logits [vocab], changed in place; what lies beyond the set's words is excluded
 */
export function allowedTokens(logits: Float32Array, allowed: Bitset): void {
  for (let word = 0, at = 0; at < logits.length; word++, at += 32) {
    const bits = allowed[word] ?? 0;
    if (bits === 0xffffffff) continue;
    const end = Math.min(at + 32, logits.length);
    if (bits === 0) logits.fill(-Infinity, at, end);
    else for (let i = at; i < end; i++) if ((bits & (1 << (i - at))) === 0) logits[i] = -Infinity;
  }
}
