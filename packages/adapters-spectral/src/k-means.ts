import { torchGenerator } from "@weft/tensor-core";
import { matrix, type Matrix } from "@weft/tensor-core/linalg";

/** Relative to the spread of the points: scikit-learn's `tol`. */
const TOLERANCE = 1e-4;

/**
 * Groups of points (rows) by Lloyd's algorithm, as `KMeans(init="random", n_init=1)` of scikit-learn finds them with NumPy's generator; in f64.
 * @returns per point the number of its group; undefined if a group becomes empty, where the result hangs on how one is filled
 * @see scikit-learn `cluster/_kmeans.py` _kmeans_single_lloyd
 */
export function kMeans(points: Matrix, groups: number, rounds: number, seed: number): Int32Array | undefined {
  const { rows: n, cols: d } = points;
  const x = centred(points);
  const centres = matrix(groups, d);
  chooseRows(n, groups, seed).forEach((row, k) => centres.data.set(x.data.subarray(row * d, (row + 1) * d), k * d));
  const tolerance = (TOLERANCE * x.data.reduce((sum, v) => sum + v * v, 0)) / (n * d);
  let labels: Int32Array = new Int32Array(n).fill(-1);
  for (let round = 0; round < rounds; round++) {
    const before = labels;
    labels = nearest(x, centres);
    const moved = moveCentres(x, labels, centres);
    if (moved === undefined) return undefined;
    if (labels.every((label, i) => label === before[i])) return labels;
    if (moved <= tolerance) break;
  }
  return nearest(x, centres);
}

function centred({ rows, cols, data }: Matrix): Matrix {
  const mean = new Float64Array(cols);
  data.forEach((v, i) => (mean[i % cols]! += v / rows));
  return matrix(
    rows,
    cols,
    data.map((v, i) => v - mean[i % cols]!),
  );
}

function nearest(x: Matrix, centres: Matrix): Int32Array {
  const d = x.cols;
  return Int32Array.from({ length: x.rows }, (_, i) => {
    let [best, least] = [0, Infinity];
    for (let k = 0; k < centres.rows; k++) {
      let distance = 0;
      for (let j = 0; j < d; j++) distance += (x.data[i * d + j]! - centres.data[k * d + j]!) ** 2;
      if (distance < least) [best, least] = [k, distance];
    }
    return best;
  });
}

/** Moves each centre to the mean of its points. @returns the sum of the squares of the ways; undefined if a group has no points */
function moveCentres(x: Matrix, labels: Int32Array, centres: Matrix): number | undefined {
  const d = x.cols;
  const [sums, counts] = [new Float64Array(centres.data.length), new Float64Array(centres.rows)];
  labels.forEach((k, i) => {
    counts[k]!++;
    for (let j = 0; j < d; j++) sums[k * d + j]! += x.data[i * d + j]!;
  });
  if (counts.includes(0)) return undefined;
  let moved = 0;
  sums.forEach((sum, at) => {
    const to = sum / counts[Math.floor(at / d)]!;
    moved += (to - centres.data[at]!) ** 2;
    centres.data[at] = to;
  });
  return moved;
}

/** `numpy.random.RandomState(seed).choice(n, count, replace=False, p=[1/n, …])` with the weights that f32 gives scikit-learn. */
function chooseRows(n: number, count: number, seed: number): number[] {
  // Seeded by one integer, NumPy's legacy generator is in the state of torch's.
  const generator = torchGenerator(seed);
  const uniform = (): number => ((generator.nextUint32() >>> 5) * 2 ** 26 + (generator.nextUint32() >>> 6)) * 2 ** -53;
  const weights = new Float64Array(n).fill(Math.fround(1 / n));
  const chosen: number[] = [];
  while (chosen.length < count) {
    const draws = Array.from({ length: count - chosen.length }, uniform);
    for (const row of chosen) weights[row] = 0;
    let total = 0;
    const sums = weights.map((w) => (total += w));
    for (const draw of draws) {
      const row = sums.findIndex((sum) => sum / total > draw);
      if (!chosen.includes(row)) chosen.push(row);
    }
  }
  return chosen;
}
