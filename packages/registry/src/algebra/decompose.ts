import { type Device, tensor } from "@weft/tensor-core";
import { FULL_SVD_LIMIT, jacobiSvd, matrix, randomizedSvd, singularValues, type Svd } from "@weft/tensor-core/linalg";
import { countKept, type RankRule } from "./rank-rule.js";

/** A dense matrix, row-major. */
export interface DenseMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float32Array;
}

export interface Decomposed {
  readonly svd: Svd;
  /** How many triplets the rule keeps: at least 1, at most `cap`. */
  readonly rank: number;
  /** ‖M‖². */
  readonly squares: number;
}

/** Triplets that are computed first where a rule does not say how many it needs. */
const FIRST_GUESS = 32;

/**
 * The singular triplets of a matrix that a rank rule keeps. Exact in f64 where the short side is at most 192; beyond that by `randomizedSvd`, with
 * twice as many triplets until the rule is decided. Only the `quantile` rule needs the sum of all singular values, which takes a full reduction of
 * the matrix: seconds for a short side of 1000, minutes for one of 4000.
 * @param cap the largest rank there may be
 */
export async function decompose(m: DenseMatrix, rule: RankRule, cap: number, device?: Device): Promise<Decomposed> {
  const { rows, cols, values } = m;
  const squares = values.reduce((sum, x) => sum + x * x, 0);
  const bounded = (count: number): number => Math.max(1, Math.min(cap, count));
  const short = Math.min(rows, cols);
  if (short <= FULL_SVD_LIMIT) {
    const svd = jacobiSvd(matrix(rows, cols, Float64Array.from(values)));
    return { svd, rank: bounded(countKept(rule, { values: svd.s, all: true, squares })!), squares };
  }
  const sum =
    rule.kind === "quantile" ? singularValues(matrix(rows, cols, Float64Array.from(values))).reduce((a, b) => a + b, 0) : undefined;
  const a = tensor(values, { shape: [rows, cols], ...(device && { device }) });
  try {
    for (let guess = rule.kind === "fixed" ? bounded(rule.value) : Math.min(FIRST_GUESS, cap); ; guess = Math.min(2 * guess, cap)) {
      const svd = await randomizedSvd(a, guess);
      const count = countKept(rule, { values: svd.s, all: svd.s.length === short, squares, ...(sum !== undefined && { sum }) });
      if (count !== undefined || guess >= cap) return { svd, rank: bounded(count ?? cap), squares };
    }
  } finally {
    a.dispose();
  }
}
