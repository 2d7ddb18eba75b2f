/**
 * How kohya's `resize_lora` chooses a new rank from the singular values of up·down (without the scale). The rank is 1 more than an index, which is
 * - `sv_ratio` ρ: the number of σ > σ₁/ρ
 * - `sv_fro` q: the first n, counted from 1, with Σσ²(≤ n) ≥ q²·Σσ²
 * - `sv_cumulative` q: the first n, counted from 1, with Σσ(≤ n) ≥ q·Σσ
 *
 * clamped to 1 … len(σ) - 1; so a module that is not zero never gets rank 1.
 * @see sd-scripts `networks/resize_lora.py` index_sv_ratio, index_sv_fro, index_sv_cumulative, rank_resize
 */
export interface ResizeRule {
  readonly kind: "sv_ratio" | "sv_fro" | "sv_cumulative";
  readonly value: number;
}

/** Below this σ₁ counts as zero. */
const MIN_SV = 1e-6;

/**
 * The new rank of one module.
 * @param values its singular values, descending
 * @param length how many there are as the matrix has them, zeros beyond the rank of the factors included: min(out, in·kernel)
 * @param cap the rank that is asked for, or the most that the rule may give
 */
export function resizedRank(rule: ResizeRule | undefined, values: ArrayLike<number>, length: number, cap: number): number {
  if (!rule) return Math.min(cap, length);
  if (!(values[0]! > MIN_SV)) return 1;
  const index = Math.max(1, Math.min(indexOf(rule, values), length - 1));
  return Math.min(index + 1, cap, length);
}

function indexOf({ kind, value }: ResizeRule, values: ArrayLike<number>): number {
  const list = Array.from(values);
  if (kind === "sv_ratio") return list.filter((s) => s > list[0]! / value).length;
  const part = kind === "sv_fro" ? list.map((s) => s * s) : list;
  const goal = (kind === "sv_fro" ? value * value : value) * part.reduce((a, b) => a + b, 0);
  let reached = 0;
  const at = part.findIndex((s) => (reached += s) >= goal);
  return (at < 0 ? part.length : at) + 1;
}
