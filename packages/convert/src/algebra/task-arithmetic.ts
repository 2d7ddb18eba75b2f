import { abs, add, cast, div, equal, full, greaterEqual, maximum, mul, sign, tensor, type Tensor, where } from "@weft/tensor-core";

export type TaskRule = "linear" | "ties" | "dare_linear" | "dare_ties" | "magnitude_prune";

export interface TaskOptions {
  /** Share of the entries that are kept; 1 and more keeps all. */
  readonly density: number;
  readonly majoritySignMethod: "total" | "frequency";
  /** A random mask of zeros and ones that keeps a share of the entries. */
  readonly mask: (shape: readonly number[], density: number) => Tensor;
}

const weighted = (tasks: readonly Tensor[], weights: readonly number[]): Tensor[] => tasks.map((t, i) => mul(t, weights[i]!));
const total = (tensors: readonly Tensor[]): Tensor => tensors.reduce((a, b) => add(a, b));

/** The `⌊density·n⌋` entries that are largest in size, the rest 0. Of equal ones the first are kept. */
async function largest(t: Tensor, density: number): Promise<Tensor> {
  if (density >= 1) return t;
  const sizes = await abs(t).data();
  const keep = Math.trunc(density * sizes.length);
  const order = Array.from(sizes, (_, i) => i).sort((i, j) => sizes[j]! - sizes[i]! || i - j);
  const mask = new Float32Array(sizes.length);
  for (const i of order.slice(0, keep)) mask[i] = 1;
  return mul(t, tensor(mask, { shape: t.shape }));
}

/** Random entries, scaled up so that the expected value stays. @see Yu et al. 2024 (DARE) */
const dropped = (t: Tensor, { density, mask }: TaskOptions): Tensor => (density >= 1 ? t : div(mul(t, mask(t.shape, density)), density));

/** 1 where an entry has the sign that its place elects; a sum of 0 elects plus, and zeros never agree. @see Yadav et al. 2023 (TIES), §3 */
function electedSigns(tasks: readonly Tensor[], method: TaskOptions["majoritySignMethod"]): Tensor[] {
  const votes = total(method === "total" ? tasks : tasks.map(sign));
  const elected = where(greaterEqual(votes, 0), full(votes.shape, 1), -1);
  return tasks.map((t) => cast(equal(sign(t), elected), "f32"));
}

/** Σ w·v·mask / max(1, Σ mask): divided by how many agree, not by their weights. */
function disjoint(tasks: readonly Tensor[], masks: readonly Tensor[], weights: readonly number[]): Tensor {
  const chosen = weighted(tasks, weights).map((t, i) => mul(t, masks[i]!));
  return div(total(chosen), maximum(total(masks), 1));
}

/** Task tensors of one shape combined by a rule. @see peft `utils/merge_utils.py` */
export async function combineTasks(
  rule: TaskRule,
  tasks: readonly Tensor[],
  weights: readonly number[],
  options: TaskOptions,
): Promise<Tensor> {
  if (rule === "linear") return total(weighted(tasks, weights));
  const pruned = rule.startsWith("dare")
    ? tasks.map((t) => dropped(t, options))
    : await Promise.all(tasks.map((t) => largest(t, options.density)));
  if (rule === "dare_linear" || rule === "magnitude_prune") return total(weighted(pruned, weights));
  return disjoint(pruned, electedSigns(pruned, options.majoritySignMethod), weights);
}
