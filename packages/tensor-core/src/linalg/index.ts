// Dense linear algebra on the host, in f64: for what happens once per layer, not in a graph.
/** Dense row-major matrix in f64. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

export function matrix(rows: number, cols: number, data: ArrayLike<number> = new Float64Array(rows * cols)): Matrix {
  return { rows, cols, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

export function transposed({ rows, cols, data }: Matrix): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j]!;
  return { rows: cols, cols: rows, data: out };
}

export function product(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(a.rows * b.cols);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.cols; k++) {
      const x = a.data[i * a.cols + k]!;
      for (let j = 0; j < b.cols; j++) out[i * b.cols + j]! += x * b.data[k * b.cols + j]!;
    }
  }
  return { rows: a.rows, cols: b.cols, data: out };
}

/** The first `count` columns. */
export function columns(m: Matrix, count: number): Matrix {
  return {
    rows: m.rows,
    cols: count,
    data: Float64Array.from({ length: m.rows * count }, (_, i) => m.data[Math.floor(i / count) * m.cols + (i % count)]!),
  };
}

/**
 * Reduced QR by Householder reflections with LAPACK's signs (`geqrf`, as `torch.linalg.qr`): A [m, n] = Q [m, k] · R [k, n], k = min(m, n).
 */
export function qr(a: Matrix): { q: Matrix; r: Matrix } {
  const { rows: m, cols: n } = a;
  const k = Math.min(m, n);
  const w = a.data.slice();
  const taus = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    let tail = 0;
    for (let i = j + 1; i < m; i++) tail += w[i * n + j]! ** 2;
    const alpha = w[j * n + j]!;
    if (tail === 0) continue;
    const beta = -Math.sign(alpha || 1) * Math.sqrt(alpha * alpha + tail);
    taus[j] = (beta - alpha) / beta;
    for (let i = j + 1; i < m; i++) w[i * n + j]! /= alpha - beta;
    w[j * n + j] = beta;
    for (let c = j + 1; c < n; c++) {
      let dot = w[j * n + c]!;
      for (let i = j + 1; i < m; i++) dot += w[i * n + j]! * w[i * n + c]!;
      dot *= taus[j]!;
      w[j * n + c]! -= dot;
      for (let i = j + 1; i < m; i++) w[i * n + c]! -= w[i * n + j]! * dot;
    }
  }
  const r = matrix(k, n);
  for (let i = 0; i < k; i++) for (let j = i; j < n; j++) r.data[i * n + j] = w[i * n + j]!;
  const q = matrix(m, k);
  for (let i = 0; i < k; i++) q.data[i * k + i] = 1;
  for (let j = k - 1; j >= 0; j--) {
    for (let c = j; c < k; c++) {
      let dot = q.data[j * k + c]!;
      for (let i = j + 1; i < m; i++) dot += w[i * n + j]! * q.data[i * k + c]!;
      dot *= taus[j]!;
      q.data[j * k + c]! -= dot;
      for (let i = j + 1; i < m; i++) q.data[i * k + c]! -= w[i * n + j]! * dot;
    }
  }
  return { q, r };
}

export interface Svd {
  /** [m, k], orthonormal columns. */
  readonly u: Matrix;
  /** Descending. */
  readonly s: Float64Array;
  /** [k, n], orthonormal rows. */
  readonly vt: Matrix;
}

/** Thin SVD by one-sided Jacobi rotations: accurate to a few ulp of f64 for every singular value; O(m·n²) per sweep, so for small matrices. */
export function jacobiSvd(a: Matrix): Svd {
  if (a.rows < a.cols) {
    const { u, s, vt } = jacobiSvd(transposed(a));
    return { u: transposed(vt), s, vt: transposed(u) };
  }
  const { rows: m, cols: n } = a;
  // Columns are stored as rows, so that rotations run over contiguous memory.
  const w = transposed(a).data;
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const rotate = (x: Float64Array, p: number, q: number, length: number, c: number, s: number): void => {
    for (let i = 0; i < length; i++) {
      const [xp, xq] = [x[p * length + i]!, x[q * length + i]!];
      x[p * length + i] = c * xp - s * xq;
      x[q * length + i] = s * xp + c * xq;
    }
  };
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        let [pp, qq, pq] = [0, 0, 0];
        for (let i = 0; i < m; i++) {
          const [x, y] = [w[p * m + i]!, w[q * m + i]!];
          pp += x * x;
          qq += y * y;
          pq += x * y;
        }
        if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq)) continue;
        turned = true;
        const zeta = (qq - pp) / (2 * pq);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(w, p, q, m, c, c * t);
        rotate(v, p, q, n, c, c * t);
      }
    }
  }
  const norms = Float64Array.from({ length: n }, (_, j) => Math.sqrt(w.subarray(j * m, (j + 1) * m).reduce((sum, x) => sum + x * x, 0)));
  const order = [...norms.keys()].sort((i, j) => norms[j]! - norms[i]!);
  const u = matrix(m, n);
  const vt = matrix(n, n);
  order.forEach((from, to) => {
    for (let i = 0; i < m; i++) u.data[i * n + to] = norms[from]! > 0 ? w[from * m + i]! / norms[from]! : 0;
    vt.data.set(v.subarray(from * n, (from + 1) * n), to * n);
  });
  return { u, s: Float64Array.from(order, (j) => norms[j]!), vt };
}

/** Largest short side that is decomposed in full; beyond it only the wanted part is computed. */
const FULL_SVD_LIMIT = 192;

/**
 * The `rank` largest singular triplets. Small matrices: full Jacobi SVD, cut. Larger ones: subspace iteration with oversampling from a fixed
 * start (deterministic), until the wanted singular values stand still to 1e-13, or 200 rounds.
 */
export function truncatedSvd(a: Matrix, rank: number): Svd {
  const wanted = Math.min(rank, a.rows, a.cols);
  const cut = ({ u, s, vt }: Svd): Svd => ({
    u: columns(u, wanted),
    s: s.slice(0, wanted),
    vt: matrix(wanted, vt.cols, vt.data.slice(0, wanted * vt.cols)),
  });
  if (Math.min(a.rows, a.cols) <= FULL_SVD_LIMIT) return cut(jacobiSvd(a));
  const at = transposed(a);
  const width = Math.min(wanted + Math.max(16, wanted), a.rows, a.cols);
  let seed = 1;
  const start = matrix(
    a.cols,
    width,
    Float64Array.from({ length: a.cols * width }, () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5),
  );
  let { q } = qr(product(a, start));
  let before = new Float64Array(wanted);
  for (let round = 0; round < 200; round++) {
    const { q: p } = qr(product(at, q));
    const next = qr(product(a, p));
    q = next.q;
    const now = jacobiSvd(next.r).s.slice(0, wanted);
    if (now.every((x, i) => Math.abs(x - before[i]!) <= 1e-13 * now[0]!)) break;
    before = now;
  }
  const small = jacobiSvd(product(transposed(q), a));
  return cut({ u: product(q, small.u), s: small.s, vt: small.vt });
}

/**
 * The singular value decomposition of B·A without forming the product: B = Q_b·R_b, Aᵀ = Q_a·R_a, then that of the small R_b·R_aᵀ.
 * Cost (out + in)·r² instead of out·in·r.
 * @param b [out, r]
 * @param a [r, in]
 */
export function lowRankSvd(b: Matrix, a: Matrix): Svd {
  const [left, right] = [qr(b), qr(transposed(a))];
  const { u, s, vt } = jacobiSvd(product(left.r, transposed(right.r)));
  return { u: product(left.q, u), s, vt: product(vt, transposed(right.q)) };
}
