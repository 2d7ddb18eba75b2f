import { mul, sum, type Tensor } from "@weft/tensor-core";
import { FULL_SVD_LIMIT, jacobiSvd, matrix, type Matrix, randomizedSvd, singularValues, type Svd } from "@weft/tensor-core/linalg";
import { countKept, type RankRule } from "./rank-rule.js";

/** A singular value decomposition, and how much of it a rank rule keeps. */
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
 * @param m a matrix, on the device that is to multiply it
 * @param cap the largest rank there may be
 */
export async function decompose(m: Tensor, rule: RankRule, cap: number): Promise<Decomposed> {
  const [rows, cols] = m.shape as [number, number];
  const bounded = (count: number): number => Math.max(1, Math.min(cap, count));
  const short = Math.min(rows, cols);
  if (short <= FULL_SVD_LIMIT) {
    const svd = jacobiSvd(await onHost(m));
    const squares = svd.s.reduce((sum, s) => sum + s * s, 0);
    return { svd, rank: bounded(countKept(rule, { values: svd.s, all: true, squares })!), squares };
  }
  const squares = await squaresOf(m);
  const total = rule.kind === "quantile" ? singularValues(await onHost(m)).reduce((a, b) => a + b, 0) : undefined;
  for (let guess = rule.kind === "fixed" ? bounded(rule.value) : Math.min(FIRST_GUESS, cap); ; guess = Math.min(2 * guess, cap)) {
    const svd = await randomizedSvd(m, guess);
    const count = countKept(rule, { values: svd.s, all: svd.s.length === short, squares, ...(total !== undefined && { sum: total }) });
    if (count !== undefined || guess >= cap) return { svd, rank: bounded(count ?? cap), squares };
  }
}

const onHost = async (m: Tensor): Promise<Matrix> => matrix(m.shape[0]!, m.shape[1]!, await m.data());

/** ‖M‖²: each row's in f32 on the device, their sum in f64. */
async function squaresOf(m: Tensor): Promise<number> {
  const rows = sum(mul(m, m), { axes: [1] });
  const values = Float64Array.from(await rows.data());
  rows.dispose();
  return values.reduce((total, x) => total + x, 0);
}
