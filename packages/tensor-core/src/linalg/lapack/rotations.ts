import type { Matrix } from "../matrix.js";

/** Rounding unit of f32, LAPACK's `slamch('E')`: the thresholds of the single-precision routines. */
export const EPS: number = 2 ** -24;

/** |a| with the sign of b, Fortran's `SIGN`. */
export const withSign = (a: number, b: number): number => (b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a));

/** A plane rotation [c s; −s c]. */
export interface Rotation {
  readonly c: number;
  readonly s: number;
  readonly r: number;
}

/** The rotation that maps (f, g) to (r, 0), c ≥ 0. @see LAPACK `slartg` (3.10) */
export function lartg(f: number, g: number): Rotation {
  if (g === 0) return { c: 1, s: 0, r: f };
  if (f === 0) return { c: 0, s: withSign(1, g), r: Math.abs(g) };
  const r = withSign(Math.hypot(f, g), f);
  return { c: Math.abs(f) / Math.abs(r), s: g / r, r };
}

/** Rows i and j become c·row_i + s·row_j and c·row_j − s·row_i. @see BLAS `srot` */
export function rotateRows({ cols, data }: Matrix, i: number, j: number, c: number, s: number): void {
  for (let k = 0, p = i * cols, q = j * cols; k < cols; k++, p++, q++) {
    const [x, y] = [data[p]!, data[q]!];
    data[p] = c * x + s * y;
    data[q] = c * y - s * x;
  }
}

/** The smaller singular value of [f g; 0 h]. @see LAPACK `slas2` */
export function smallerSingularValue(f: number, g: number, h: number): number {
  const [fa, ga, ha] = [Math.abs(f), Math.abs(g), Math.abs(h)];
  const [low, high] = [Math.min(fa, ha), Math.max(fa, ha)];
  if (low === 0) return 0;
  const [sum, difference] = [1 + low / high, (high - low) / high];
  if (ga < high) {
    const au = (ga / high) ** 2;
    return low * (2 / (Math.sqrt(sum * sum + au) + Math.sqrt(difference * difference + au)));
  }
  const au = high / ga;
  if (au === 0) return (low * high) / ga;
  return 2 * (low * (1 / (Math.sqrt(1 + (sum * au) ** 2) + Math.sqrt(1 + (difference * au) ** 2))) * au);
}

/** SVD of a 2×2 triangle with its signs. */
export interface TriangleSvd {
  /** Smaller in size. */
  readonly small: number;
  readonly large: number;
  readonly left: { readonly c: number; readonly s: number };
  readonly right: { readonly c: number; readonly s: number };
}

/** [c_l s_l; −s_l c_l]·[f g; 0 h]·[c_r −s_r; s_r c_r] = diag(large, small); the values may be negative. @see LAPACK `slasv2` */
export function triangleSvd(f: number, g: number, h: number): TriangleSvd {
  const swapped = Math.abs(h) > Math.abs(f);
  const [ft, ht] = swapped ? [h, f] : [f, h];
  const [fa, ha, ga] = [Math.abs(ft), Math.abs(ht), Math.abs(g)];
  let [small, large, cl, cr, sl, sr] = [ha, fa, 1, 1, 0, 0];
  // The entry whose sign counts: 1 of f, 2 of g, 3 of h.
  let largest = swapped ? 3 : 1;
  if (ga !== 0) {
    if (ga > fa) largest = 2;
    if (ga > fa && fa / ga < EPS) {
      large = ga;
      small = ha > 1 ? fa / (ga / ha) : (fa / ga) * ha;
      [cl, sl, sr, cr] = [1, ht / g, 1, ft / g];
    } else {
      const d = fa - ha;
      const l = d === fa ? 1 : d / fa;
      const m = g / ft;
      const t = 2 - l;
      const mm = m * m;
      const s = Math.sqrt(t * t + mm);
      const r = l === 0 ? Math.abs(m) : Math.sqrt(l * l + mm);
      const a = 0.5 * (s + r);
      small = ha / a;
      large = fa * a;
      const u =
        mm === 0 ? (l === 0 ? withSign(2, ft) * withSign(1, g) : g / withSign(d, ft) + m / t) : (m / (s + t) + m / (r + l)) * (1 + a);
      const norm = Math.sqrt(u * u + 4);
      cr = 2 / norm;
      sr = u / norm;
      cl = (cr + sr * m) / a;
      sl = ((ht / ft) * sr) / a;
    }
  }
  const left = swapped ? { c: sr, s: cr } : { c: cl, s: sl };
  const right = swapped ? { c: sl, s: cl } : { c: cr, s: sr };
  const sign =
    largest === 1
      ? withSign(1, right.c) * withSign(1, left.c) * withSign(1, f)
      : largest === 2
        ? withSign(1, right.s) * withSign(1, left.c) * withSign(1, g)
        : withSign(1, right.s) * withSign(1, left.s) * withSign(1, h);
  return { small: withSign(small, sign * withSign(1, f) * withSign(1, h)), large: withSign(large, sign), left, right };
}
