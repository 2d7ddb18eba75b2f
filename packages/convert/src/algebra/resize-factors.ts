import { lowRankSvd, matrix } from "@weft/tensor-core/linalg";
import { type Factors, factorsOf } from "./factors.js";
import { type ResizeRule, resizedRank } from "./resize-rule.js";

/** Factors of a lower rank, and what they keep. */
export interface Resized {
  readonly factors: Factors;
  /** Share of ‖up·down‖ that is kept: √(Σσ² kept / Σσ²). */
  readonly kept: number;
}

/**
 * The same change at another rank, the best there is: by QR of both factors and the SVD of the small core, so that up·down is never formed.
 * @param cap the rank that is asked for; with a rule the most it may give
 */
export function resizeFactors({ out, rank, inputs, up, down }: Factors, rule: ResizeRule | undefined, cap: number): Resized {
  const svd = lowRankSvd(matrix(out, rank, up), matrix(rank, inputs, down));
  const newRank = resizedRank(rule, svd.s, Math.min(out, inputs), cap);
  const squares = svd.s.map((s) => s * s);
  const total = squares.reduce((a, b) => a + b, 0);
  const kept = squares.slice(0, newRank).reduce((a, b) => a + b, 0);
  return { factors: factorsOf(svd, newRank), kept: total === 0 ? 1 : Math.sqrt(kept / total) };
}
