import type { CompositeCall } from "../backend.js";
import type { Node, Tensor } from "../graph.js";
import { graphInputs, isLeaf, rewriteGraph } from "./rewrite.js";

/** The call of a composite as a backend's `claims` sees it. */
function describeCall({ op, attrs, inputs, outputs }: Node): CompositeCall {
  return { name: op, attrs, inputs: inputs.map(({ shape, dtype }) => ({ shape, dtype })), outputs };
}

/**
 * Replaces every composite that the backend has no kernel for by its decomposition, until none is left. The walk goes through the decompositions
 * that the graph holds already, so that each node is seen once.
 */
export function expandComposites(outputs: readonly Tensor[], claims: (call: CompositeCall) => boolean): Tensor[] {
  const opened = new Set<Node>();
  const follow = (node: Node): readonly Tensor[] => {
    if (!node.composite || isLeaf(node)) return graphInputs(node);
    if (!opened.has(node) && claims(describeCall(node))) return node.inputs;
    opened.add(node);
    return node.composite.decomposition;
  };
  return rewriteGraph(outputs, (node, inputs) => (opened.has(node) ? inputs : undefined), follow);
}
