/** A singular value σ and its distances to the poles, which are accurate where σ − d itself would cancel. */
export interface SecularRoot {
  readonly value: number;
  /** d_i − σ */
  readonly minus: Float64Array;
  /** d_i + σ */
  readonly plus: Float64Array;
}

/**
 * The singular values of diag(d) with its first row replaced by z: the roots σ_j in (d_j, d_{j+1}) of 1 + Σ z_i² / (d_i² − σ²), the last one in
 * (d_k, √(d_k² + |z|²)). By bisection of the distance to the nearer pole.
 * @param poles 0 = d_1 < … < d_k
 * @param z nowhere 0
 * @see LAPACK `slasd4`, which solves the same equation by rational interpolation
 */
export function secularRoots(poles: readonly number[], z: readonly number[]): SecularRoot[] {
  const squares = z.map((x) => x * x);
  const norm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
  return poles.map((low, j) => {
    const high = poles[j + 1];
    const width = high === undefined ? norm : high - low;
    const at = (origin: number, offset: number): number =>
      squares.reduce((sum, square, i) => {
        const gap = poles[i]! - origin;
        return sum + square / (gap - offset) / (poles[i]! + origin + offset);
      }, 1);
    // The function rises from −∞ to ∞ between two poles.
    const nearHigh = high !== undefined && at(low, width / 2) < 0;
    const origin = nearHigh ? high : low;
    let [below, above] = nearHigh ? [-width / 2, 0] : [0, high === undefined ? width : width / 2];
    for (let middle = (below + above) / 2; middle > below && middle < above; middle = (below + above) / 2) {
      if (at(origin, middle) < 0) below = middle;
      else above = middle;
    }
    const offset = nearHigh ? below : above;
    return {
      value: origin + offset,
      minus: Float64Array.from(poles, (d) => d - origin - offset),
      plus: Float64Array.from(poles, (d) => d + origin + offset),
    };
  });
}
