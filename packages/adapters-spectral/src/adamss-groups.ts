import { CapabilityError } from "@weft/tensor-core";
import { block, hstack } from "./weight-matrix.js";
import { matrix, type Matrix, type Svd, torchSvdLowRank } from "@weft/tensor-core/linalg";
import { kMeans } from "./k-means.js";
import { changed } from "./settled-svd.js";

/** PEFT's constants of the decomposition and the clustering. @see peft `tuners/adamss/layer.py`, `utils.py` */
const POWER_ITERATIONS = 2;
const ROUNDS = 10;
const CLUSTER_SEED = 123456789;

/** What AdaMSS makes of a weight before it learns. */
export interface Subspaces {
  /** Left singular vectors [out, r]: rows that are alike are one group. */
  readonly u: Matrix;
  /** Right singular vectors [r, in (+ 1)]. */
  readonly vt: Matrix;
  /** Outputs by group, in the order of their numbers. */
  readonly groups: readonly (readonly number[])[];
}

/** Everything about a layer that its groups depend on. */
export interface SubspaceOptions {
  readonly r: number;
  readonly groups: number;
  readonly seed: number;
}

function decompose(weight: Matrix, { r, seed }: SubspaceOptions): Svd {
  return torchSvdLowRank(weight, r, POWER_ITERATIONS, seed);
}

function groupsOf(path: string, u: Matrix, count: number): number[][] {
  const labels = kMeans(u, count, ROUNDS, CLUSTER_SEED);
  if (!labels) throw undetermined(path, "a group of outputs becomes empty while they are clustered");
  const groups: number[][] = Array.from({ length: count }, () => []);
  labels.forEach((label, row) => groups[label]!.push(row));
  return groups;
}

const undetermined = (path: string, why: string): CapabilityError =>
  new CapabilityError(`${path}: AdaMSS's groups of outputs are in no file, and follow from the base weight by a clustering; ${why}`, {
    kind: "undetermined",
    tensor: path,
  });

/**
 * The groups of a weight [out, in], with the bias as one more column, as PEFT finds them: k-means over the rows of the left singular vectors. Signs of
 * the vectors do not matter to it.
 * @throws CapabilityError kind `undetermined` if last bits of the weight decide
 */
export function newSubspaces(path: string, weight: Matrix, options: SubspaceOptions): Subspaces {
  const { u, vt } = decompose(weight, options);
  const groups = groupsOf(path, u, options.groups);
  const again = groupsOf(path, decompose(changed(weight), options).u, options.groups);
  if (JSON.stringify(groups) !== JSON.stringify(again)) throw undetermined(path, "here the last bits of the weight decide it");
  return { u, vt, groups };
}

/** How much of the file's subspace must lie in that of the base. */
const INSIDE = 0.999;

/**
 * The groups of an adapter in a file, checked by what the file has of them: the right singular vectors and the sizes of the groups.
 * @param newB [r, in (+ 1)] of the file
 * @throws CapabilityError kind `undetermined` if they are those of another weight, or draws
 */
export function knownGroups(
  path: string,
  weight: Matrix,
  newB: Matrix,
  sizes: readonly number[],
  options: SubspaceOptions,
): readonly (readonly number[])[] {
  const { u, vt } = decompose(weight, options);
  let shared = 0;
  for (let i = 0; i < newB.rows; i++) {
    for (let k = 0; k < vt.rows; k++) {
      let dot = 0;
      for (let j = 0; j < vt.cols; j++) dot += newB.data[i * vt.cols + j]! * vt.data[k * vt.cols + j]!;
      shared += dot * dot;
    }
  }
  if (shared < INSIDE * newB.rows)
    throw undetermined(
      path,
      `the file's singular vectors (adamss_newB) are not those of this weight: ${((100 * shared) / newB.rows).toFixed(1)} % of them lie in its subspace. The adapter is for another base, or was made on a GPU, which draws other numbers`,
    );
  const groups = groupsOf(path, u, options.groups);
  const found = groups.map(({ length }) => length);
  if (found.join() !== sizes.join())
    throw undetermined(path, `the file's groups have ${sizes.join(", ")} outputs, those of this weight ${found.join(", ")}`);
  return groups;
}

/** Weight and bias side by side [out, in + 1]. */
export const withBias = (weight: Matrix, bias: ArrayLike<number> | undefined): Matrix =>
  bias ? hstack(weight, matrix(weight.rows, 1, bias)) : weight;

/** Rows of a matrix. */
export const rowsOf = (m: Matrix, rows: readonly number[]): Matrix =>
  matrix(rows.length, m.cols, Float64Array.from(rows.flatMap((row) => [...block(m, [row, row + 1], [0, m.cols]).data])));
