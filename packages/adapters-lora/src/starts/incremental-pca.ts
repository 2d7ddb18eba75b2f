import { matrix, type Matrix, truncatedSvd } from "@weft/tensor-core/linalg";

/** Principal components of rows that come in batches. @see Ross et al. 2008; scikit-learn's IncrementalPCA, as peft `utils/incremental_pca.py` has it */
export class IncrementalPca {
  private count = 0;
  private mean: Float64Array | undefined;
  /** Sum of squared distances to the mean, over all features. */
  private spread = 0;
  private found: { readonly components: Matrix; readonly values: Float64Array } | undefined;

  constructor(private readonly size: number) {}

  /** The components [size, features], the largest first; undefined before the first batch. */
  get components(): Matrix | undefined {
    return this.found?.components;
  }

  get singularValues(): Float64Array {
    return this.found!.values;
  }

  /** Each component's share of the variance. */
  get varianceShares(): Float64Array {
    return this.found!.values.map((s) => s ** 2 / this.spread);
  }

  /** Takes a batch of rows [n, features], n at least the number of components. */
  add(rows: Matrix): void {
    const { rows: n, cols } = rows;
    const own = new Float64Array(cols);
    rows.data.forEach((v, i) => (own[i % cols]! += v / n));
    const centred = rows.data.map((v, i) => v - own[i % cols]!);
    this.spread += centred.reduce((sum, v) => sum + v ** 2, 0);
    const total = this.count + n;
    const parts = [centred];
    if (this.mean && this.found) {
      const before = this.mean;
      const { components, values } = this.found;
      const weight = (this.count / total) * n;
      const shift = before.map((m, i) => m - own[i]!);
      this.spread += weight * shift.reduce((sum, v) => sum + v ** 2, 0);
      parts.unshift(components.data.map((v, i) => v * values[Math.floor(i / cols)]!));
      parts.push(shift.map((v) => v * Math.sqrt(weight)));
    }
    const stacked = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      stacked.set(part, at);
      at += part.length;
    }
    const { s, vt } = truncatedSvd(matrix(stacked.length / cols, cols, stacked), this.size);
    this.found = { components: withSigns(vt), values: s };
    const { mean, count } = this;
    this.mean = mean ? mean.map((m, i) => (m * count + own[i]! * n) / total) : own;
    this.count = total;
  }
}

/** The largest entry of each row is positive, as in PEFT. */
function withSigns(m: Matrix): Matrix {
  const out = matrix(m.rows, m.cols, m.data.slice());
  for (let i = 0; i < m.rows; i++) {
    const row = out.data.subarray(i * m.cols, (i + 1) * m.cols);
    const largest = row.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);
    if (largest < 0) row.forEach((v, j) => (row[j] = -v));
  }
  return out;
}
