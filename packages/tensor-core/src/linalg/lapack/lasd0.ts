import { lasd1 } from "./lasd1.js";
import { type BidiagonalSvd, lasdq } from "./lasdq.js";

/** Largest part that QR sweeps solve (`ilaenv(9)`). */
export const LEAF = 25;

/**
 * SVD of an upper bidiagonal n × m matrix, m = n or n + 1, by divide and conquer: halves about the middle row, all down to the same depth.
 * @param d [n]
 * @param e [m − 1]
 * @see LAPACK `slasd0`, `slasdt`
 */
export function lasd0(d: Float64Array, e: Float64Array): BidiagonalSvd {
  return solve(d, e, d.length <= LEAF ? 0 : Math.floor(Math.log2(d.length / (LEAF + 1))) + 1);
}

function solve(d: Float64Array, e: Float64Array, depth: number): BidiagonalSvd {
  if (depth === 0) return lasdq(d, e);
  const middle = d.length >> 1;
  return lasd1(
    solve(d.subarray(0, middle), e.subarray(0, middle), depth - 1),
    solve(d.subarray(middle + 1), e.subarray(middle + 1), depth - 1),
    d[middle]!,
    e[middle]!,
  );
}
