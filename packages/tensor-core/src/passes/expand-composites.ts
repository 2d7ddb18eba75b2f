import type { CompositeCall } from "../backend.js";
import type { Node, Tensor } from "../graph.js";
import { rewriteGraph } from "./rewrite.js";

/** The call of a composite as a backend's `claims` sees it. */
function describeCall(node: Node, inputs: readonly Tensor[] = node.inputs): CompositeCall {
  return { name: node.op, attrs: node.attrs, inputs: inputs.map(({ shape, dtype }) => ({ shape, dtype })), outputs: node.outputs };
}

/** Replaces every composite that the backend has no kernel for by its decomposition, until none is left. */
export function expandComposites(outputs: readonly Tensor[], claims: (call: CompositeCall) => boolean): Tensor[] {
  return rewriteGraph(outputs, (node, inputs) => {
    if (!node.composite || claims(describeCall(node, inputs))) return undefined;
    return expandComposites(node.composite.definition.decompose(inputs, node.attrs), claims);
  });
}
