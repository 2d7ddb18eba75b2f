import { matrix, type Matrix } from "../matrix.js";
import type { BidiagonalSvd } from "./lasdq.js";
import { EPS } from "./rotations.js";
import { secularRoots } from "./secular.js";

/** A singular value of one half with its vectors, at full length, and the entry of the joining row that belongs to it. */
interface Entry {
  d: number;
  z: number;
  readonly u: Float64Array;
  readonly v: Float64Array;
}

/**
 * Joins the SVDs of the halves of a bidiagonal matrix, above and below its middle row (0 … α β … 0): in their bases the matrix is diagonal but for
 * that row z, whose secular equation gives values and vectors. Entries of z, and gaps between values, that are negligible to single precision are deflated.
 * @param upper nl × (nl + 1)
 * @param lower nr × nr or nr × (nr + 1)
 * @see LAPACK `slasd1`, `slasd2` (deflation), `slasd3` (vectors)
 */
export function lasd1(upper: BidiagonalSvd, lower: BidiagonalSvd, alpha: number, beta: number): BidiagonalSvd {
  const [nl, nr] = [upper.d.length, lower.d.length];
  const [n, m] = [nl + nr + 1, nl + 1 + lower.vt.cols];
  const norm = [alpha, beta, ...upper.d, ...lower.d].reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const embed = (size: number, rows: Matrix, i: number, at: number): Float64Array => {
    const out = new Float64Array(size);
    out.set(rows.data.subarray(i * rows.cols, (i + 1) * rows.cols), at);
    return out;
  };
  const entries: Entry[] = [];
  for (let i = 0; i < nl; i++)
    entries.push({
      d: upper.d[i]! / norm,
      z: (alpha / norm) * upper.vt.data[i * (nl + 1) + nl]!,
      u: embed(n, upper.ut, i, 0),
      v: embed(m, upper.vt, i, 0),
    });
  for (let i = 0; i < nr; i++)
    entries.push({
      d: lower.d[i]! / norm,
      z: (beta / norm) * lower.vt.data[i * lower.vt.cols]!,
      u: embed(n, lower.ut, i, nl + 1),
      v: embed(m, lower.vt, i, nl + 1),
    });
  entries.sort((a, b) => a.d - b.d);
  const tolerance = 8 * EPS * Math.max(entries.at(-1)!.d, Math.abs(alpha / norm), Math.abs(beta / norm));
  const { kept, deflated } = deflate(entries, tolerance);

  // The middle row's own entry: value 0, and the null directions of both halves.
  const middle = new Float64Array(n);
  middle[nl] = 1;
  const v = embed(m, upper.vt, nl, 0);
  let z = (alpha / norm) * upper.vt.data[nl * (nl + 1) + nl]!;
  let free: Float64Array | undefined;
  if (m > n) {
    free = embed(m, lower.vt, nr, nl + 1);
    const other = (beta / norm) * lower.vt.data[nr * lower.vt.cols]!;
    const length = Math.hypot(z, other);
    const [c, s] = length <= tolerance ? [1, 0] : [z / length, other / length];
    for (let k = 0; k < m; k++) [v[k], free[k]] = [c * v[k]! + s * free[k]!, c * free[k]! - s * v[k]!];
    z = length;
  }
  if (Math.abs(z) <= tolerance) z = tolerance;
  if (kept[0] && Math.abs(kept[0].d) <= tolerance / 2) kept[0].d = tolerance / 2;
  const active: Entry[] = [{ d: 0, z, u: middle, v }, ...kept];

  const solved = active.length === 1 ? [single(active[0]!)] : combine(active);
  const all = [...solved, ...deflated];
  const [ut, vt] = [matrix(n, n), matrix(m, m)];
  all.forEach((entry, i) => {
    ut.data.set(entry.u, i * n);
    vt.data.set(entry.v, i * m);
  });
  if (free) vt.data.set(free, n * m);
  return { d: Float64Array.from(all, (entry) => entry.d * norm), ut, vt };
}

/** Takes out entries with negligible z; of two with nearly the same d, a rotation leaves z to the second. */
function deflate(entries: readonly Entry[], tolerance: number): { kept: Entry[]; deflated: Entry[] } {
  const [kept, deflated]: [Entry[], Entry[]] = [[], []];
  let before: Entry | undefined;
  for (const entry of entries) {
    if (Math.abs(entry.z) <= tolerance) {
      deflated.push(entry);
      continue;
    }
    if (before && Math.abs(entry.d - before.d) <= tolerance) {
      const length = Math.hypot(entry.z, before.z);
      const [c, s] = [entry.z / length, -before.z / length];
      turn(before.u, entry.u, c, s);
      turn(before.v, entry.v, c, s);
      [entry.z, before.z] = [length, 0];
      deflated.push(before);
    } else if (before) kept.push(before);
    before = entry;
  }
  if (before) kept.push(before);
  return { kept, deflated };
}

function turn(x: Float64Array, y: Float64Array, c: number, s: number): void {
  for (let k = 0; k < x.length; k++) [x[k], y[k]] = [c * x[k]! + s * y[k]!, c * y[k]! - s * x[k]!];
}

const single = ({ z, u, v }: Entry): Entry => ({ d: Math.abs(z), z, u: z > 0 ? u : u.map((x) => -x), v });

/** Values and vectors of the active part, from z as the roots imply it, so that the vectors are orthogonal (Gu and Eisenstat). */
function combine(active: readonly Entry[]): Entry[] {
  const poles = active.map((entry) => entry.d);
  const roots = secularRoots(
    poles,
    active.map((entry) => entry.z),
  );
  const last = roots.length - 1;
  const implied = active.map(({ z }, i) => {
    let product = roots[last]!.minus[i]! * roots[last]!.plus[i]!;
    for (let j = 0; j < last; j++) {
      const pole = poles[j < i ? j : j + 1]!;
      product *= (roots[j]!.minus[i]! * roots[j]!.plus[i]!) / (poles[i]! - pole) / (poles[i]! + pole);
    }
    return Math.sign(z) * Math.sqrt(Math.abs(product));
  });
  return roots.map(({ value, minus, plus }) => {
    const right = implied.map((z, i) => z / minus[i]! / plus[i]!);
    const left = right.map((x, i) => (i === 0 ? -1 : poles[i]! * x));
    return {
      d: value,
      z: 0,
      u: blend(
        left,
        active.map((entry) => entry.u),
      ),
      v: blend(
        right,
        active.map((entry) => entry.v),
      ),
    };
  });
}

/** The combination of vectors by weights scaled to norm 1. */
function blend(weights: readonly number[], vectors: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(vectors[0]!.length);
  const norm = Math.hypot(...weights);
  weights.forEach((weight, i) => {
    const [w, vector] = [weight / norm, vectors[i]!];
    for (let k = 0; k < out.length; k++) out[k]! += w * vector[k]!;
  });
  return out;
}
