import { matrix } from "../matrix.js";
import { lasd0, LEAF } from "./lasd0.js";
import { type BidiagonalSvd, identity, lasdq } from "./lasdq.js";
import { EPS, withSign } from "./rotations.js";

/**
 * SVD of a square upper bidiagonal matrix: QR sweeps up to 25 × 25; above that it is split where an entry above the diagonal is negligible,
 * and the parts are solved by divide and conquer. Values in no particular order.
 * @param d [n] diagonal
 * @param e [n − 1] above it
 * @param negligible share of the largest entry below which one of e counts as 0; LAPACK's is the rounding unit
 * @see LAPACK `sbdsdc`
 */
export function bdsdc(d: Float64Array, e: Float64Array, negligible: number): BidiagonalSvd {
  const n = d.length;
  if (n === 1) return { d: d.map(Math.abs), ut: matrix(1, 1, [withSign(1, d[0]!)]), vt: identity(1) };
  if (n <= LEAF) return lasdq(d, e);
  const norm = [...d, ...e].reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const [ut, vt] = [identity(n), identity(n)];
  const values = new Float64Array(n);
  if (norm === 0) return { d: values, ut, vt };
  const scaled = d.map((x) => (Math.abs(x / norm) < EPS ? withSign(EPS, x) : x / norm));
  const above = e.map((x) => x / norm);
  for (let start = 0; start < n;) {
    let end = start + 1;
    while (end < n && Math.abs(above[end - 1]!) >= negligible) end++;
    const part = lasd0(scaled.subarray(start, end), above.subarray(start, end - 1));
    const size = end - start;
    part.d.forEach((x, i) => (values[start + i] = x * norm));
    for (let i = 0; i < size; i++) {
      ut.data.set(part.ut.data.subarray(i * size, (i + 1) * size), (start + i) * n + start);
      vt.data.set(part.vt.data.subarray(i * size, (i + 1) * size), (start + i) * n + start);
    }
    start = end;
  }
  return { d: values, ut, vt };
}
