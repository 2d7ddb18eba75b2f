import { rebuildNode } from "../composite.js";
import { type Node, Tensor, topologicalOrder } from "../graph.js";

/** What a rewrite makes of a node whose inputs are already rewritten: its new results, or undefined to keep it. */
export type Visit = (node: Node, inputs: readonly Tensor[]) => readonly Tensor[] | undefined;

/** True for nodes that are given, not computed: constants, place-holders and what was computed before. */
export function isLeaf(node: Node): boolean {
  return node.op === "constant" || node.op === "input" || node.computed;
}

/** The inputs of a node that still have to be computed. */
export function graphInputs(node: Node): readonly Tensor[] {
  return isLeaf(node) ? [] : node.inputs;
}

/** What is put in the place of nodes: all results of each. */
export type Replacements = ReadonlyMap<Node, readonly Tensor[]>;

/** Tensors that take the place of others. */
export function replacements(from: readonly Tensor[], to: readonly Tensor[]): Replacements {
  const replaced = new Map<Node, Tensor[]>();
  from.forEach((t, i) => {
    const list = replaced.get(t.node) ?? t.node.outputs.map((_, k) => new Tensor(t.node, k));
    list[t.index] = to[i]!;
    replaced.set(t.node, list);
  });
  return replaced;
}

/** The node on these inputs; undefined if they are its own. */
export function onInputs(node: Node, inputs: readonly Tensor[]): readonly Tensor[] | undefined {
  const same = inputs.every((t, i) => t.node === node.inputs[i]!.node && t.index === node.inputs[i]!.index);
  return same ? undefined : rebuildNode(node, inputs);
}

const NOTHING: Replacements = new Map();

/**
 * The graph of `outputs` with every node replaced by what `visit` makes of it, inputs first. Nodes whose inputs did
 * not change are kept as they are, so untouched parts stay shared with the old graph.
 * @param follow what a node is made of: its inputs, unless a pass looks into it
 * @param replaced nodes that are replaced beforehand; what lies behind them is not visited
 */
export function rewriteGraph(
  outputs: readonly Tensor[],
  visit: Visit,
  follow: (node: Node) => readonly Tensor[] = graphInputs,
  replaced: Replacements = NOTHING,
): Tensor[] {
  const results = new Map(replaced);
  const get = (t: Tensor): Tensor => results.get(t.node)?.[t.index] ?? t;
  const behind = replaced.size > 0 ? (node: Node): readonly Tensor[] => (replaced.has(node) ? [] : follow(node)) : follow;
  for (const node of topologicalOrder(outputs, behind)) {
    if (isLeaf(node) || replaced.has(node)) continue;
    const inputs = follow(node).map(get);
    const made = visit(node, inputs);
    const result = made ?? onInputs(node, inputs);
    if (result) results.set(node, result);
  }
  return outputs.map(get);
}

/** The graph of `outputs` with some tensors replaced; what lies behind them is not visited. */
export function substitute(outputs: readonly Tensor[], from: readonly Tensor[], to: readonly Tensor[]): Tensor[] {
  return rewriteGraph(outputs, () => undefined, graphInputs, replacements(from, to));
}
