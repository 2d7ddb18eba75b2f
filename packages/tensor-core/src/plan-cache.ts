import type { Backend, Executable } from "./backend.js";
import { definitionId } from "./composite.js";
import { exactJson } from "./exact-json.js";
import { type Node, Tensor, topologicalOrder } from "./graph.js";
import { graphInputs, isLeaf } from "./passes/rewrite.js";
import { planGraph, type ResultPlace } from "./plan/plan-graph.js";

/** Plans that are kept when their evaluation is over. */
const KEPT = 32;
/** Scratch of a plan that is kept, in bytes: a backend's arena stays as large as the largest of its plans needs. */
const MOST_SCRATCH = 2 ** 22;

/** A lowered plan, and what its inputs are, given the nodes of a graph in topological order. */
interface Kept {
  readonly executable: Promise<Executable>;
  readonly results: readonly ResultPlace[];
  readonly scratchBytes: number;
  readonly leaves: readonly ((order: readonly Node[]) => Tensor)[];
  /** Evaluations that use it now. */
  users: number;
  /** To be freed when nobody uses it. */
  dropped: boolean;
}

/** A plan for one evaluation. */
export interface Lent {
  readonly executable: Promise<Executable>;
  /** Where the tensors that were asked for lie. */
  readonly results: readonly ResultPlace[];
  /** What the inputs are, of the graph that was asked for. */
  readonly leaves: readonly Tensor[];
  /** To be called when the plan has run. */
  done(): void;
}

/** What a graph computes, in words: equal for graphs that differ in the values of their leaves alone. */
function wordsOf(order: readonly Node[], numbers: ReadonlyMap<Node, number>, outputs: readonly Tensor[]): string {
  const name = (t: Tensor): string => `${numbers.get(t.node)}.${t.index}`;
  const lines = order.map((node) => {
    if (isLeaf(node)) return exactJson(node.outputs.map(({ shape, dtype }) => [dtype, shape]));
    const definition = node.composite ? definitionId(node.composite.definition) : "";
    return `${node.op}:${definition}:${exactJson(node.attrs)}:${node.inputs.map(name).join()}`;
  });
  return `${lines.join("|")}|${outputs.map(name).join()}`;
}

// Two functions, so that the first one's closure does not keep a leaf alive.
const inGraph =
  (at: number, index: number) =>
  (order: readonly Node[]): Tensor =>
    new Tensor(order[at]!, index);
const fixed = (leaf: Tensor) => (): Tensor => leaf;

/** A leaf of a plan in a graph like its own. A constant of a composite's decomposition is in no graph, and the same for every call. */
function placeOf(leaf: Tensor, numbers: ReadonlyMap<Node, number>): (order: readonly Node[]) => Tensor {
  const at = numbers.get(leaf.node);
  return at === undefined ? fixed(leaf) : inGraph(at, leaf.index);
}

/** The plans of a device's last evaluations: a loop that builds the same graph again and again plans it once. */
export class PlanCache {
  private readonly backend: Backend;
  /** The one used last comes last. */
  private readonly kept = new Map<string, Kept>();

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** The plan that computes these tensors; a result that is a leaf as it is shares its memory. */
  lend(outputs: readonly Tensor[]): Lent {
    const order = topologicalOrder(outputs, graphInputs);
    const numbers = new Map(order.map((node, at) => [node, at]));
    const key = wordsOf(order, numbers, outputs);
    const plan = this.kept.get(key) ?? this.make(key, outputs, numbers);
    this.kept.delete(key);
    this.kept.set(key, plan);
    plan.users++;
    for (const [oldest, { users }] of this.kept) {
      if (this.kept.size <= KEPT) break;
      if (users === 0) this.drop(oldest);
    }
    return {
      executable: plan.executable,
      results: plan.results,
      leaves: plan.leaves.map((leaf) => leaf(order)),
      done: () => {
        plan.users--;
        if (plan.dropped) free(plan);
        else if (plan.scratchBytes > MOST_SCRATCH) this.drop(key);
      },
    };
  }

  private make(key: string, outputs: readonly Tensor[], numbers: ReadonlyMap<Node, number>): Kept {
    const { plan, results, leaves } = planGraph(outputs, [], (call) => this.backend.claims(call), { share: true });
    const executable = (async () => this.backend.lower(plan))();
    executable.catch(() => this.drop(key));
    return {
      executable,
      results,
      scratchBytes: plan.scratchBytes,
      leaves: leaves.map((leaf) => placeOf(leaf, numbers)),
      users: 0,
      dropped: false,
    };
  }

  private drop(key: string): void {
    const plan = this.kept.get(key);
    if (!plan) return;
    this.kept.delete(key);
    plan.dropped = true;
    free(plan);
  }
}

function free({ executable, users }: Kept): void {
  if (users > 0) return;
  executable.then(
    (lowered) => lowered.dispose(),
    () => undefined,
  );
}
