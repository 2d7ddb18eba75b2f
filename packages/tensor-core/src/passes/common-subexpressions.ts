import { rebuildNode } from "../composite.js";
import { exactJson } from "../exact-json.js";
import { type Node, Tensor } from "../graph.js";
import { isLeaf, rewriteGraph } from "./rewrite.js";

/** Same operation, attributes, inputs: one node. Barriers keep apart what is recomputed on purpose. */
export function mergeCommonSubexpressions(outputs: readonly Tensor[]): Tensor[] {
  const known = new Map<string, readonly Tensor[]>();
  return rewriteGraph(outputs, (node: Node, inputs) => {
    if (isLeaf(node) || node.op === "barrier") return undefined;
    // Definitions made per call (checkpoint) share a name, so such composites are told apart by node.
    const identity = node.composite && node.op === "checkpoint" ? node.id : "";
    const key = `${node.op}|${identity}|${exactJson(node.attrs)}|${inputs.map((t) => `${t.node.id}.${t.index}`).join()}`;
    const same = known.get(key);
    if (same) return same;
    const changed = inputs.some((t, i) => t.node !== node.inputs[i]!.node || t.index !== node.inputs[i]!.index);
    const results = changed ? rebuildNode(node, inputs) : undefined;
    known.set(key, results ?? node.outputs.map((_, index) => new Tensor(node, index)));
    return results;
  });
}
