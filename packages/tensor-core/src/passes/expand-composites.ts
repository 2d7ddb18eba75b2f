import type { Node, Tensor } from "../graph.js";
import { graphInputs, isLeaf, type Replacements, rewriteGraph, type Visit } from "./rewrite.js";

/**
 * Replaces every composite by its decomposition, until none is left but those to keep. The walk goes through the decompositions that the graph
 * holds already, so that each node is seen once.
 * @param rewrite what else to make of nodes, on the same way
 * @param replaced nodes that are replaced beforehand
 */
export function expandComposites(
  outputs: readonly Tensor[],
  keep: (call: Node) => boolean,
  rewrite?: Visit,
  replaced?: Replacements,
): Tensor[] {
  const opened = new Set<Node>();
  const follow = (node: Node): readonly Tensor[] => {
    if (!node.composite || isLeaf(node)) return graphInputs(node);
    if (!opened.has(node) && keep(node)) return node.inputs;
    opened.add(node);
    return node.composite.decomposition;
  };
  return rewriteGraph(outputs, (node, inputs) => (opened.has(node) ? inputs : rewrite?.(node, inputs)), follow, replaced);
}
