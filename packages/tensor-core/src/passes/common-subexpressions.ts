import { definitionId } from "../composite.js";
import { exactJson } from "../exact-json.js";
import { Tensor } from "../graph.js";
import { isLeaf, onInputs, rewriteGraph, type Visit } from "./rewrite.js";

/**
 * Same operation, attributes, inputs: one node. Barriers keep apart what is recomputed on purpose.
 * @returns a visit that knows every node that it has seen
 */
function unifying(): Visit {
  const known = new Map<string, readonly Tensor[]>();
  return (node, inputs) => {
    if (isLeaf(node) || node.op === "barrier") return undefined;
    let key = `${node.op} ${node.composite ? definitionId(node.composite.definition) : ""}${exactJson(node.attrs)}`;
    for (const t of inputs) key += `,${t.node.id}.${t.index}`;
    const same = known.get(key);
    if (same) return same;
    const results = onInputs(node, inputs);
    known.set(key, results ?? node.outputs.map((_, index) => new Tensor(node, index)));
    return results;
  };
}

/** What a visit makes of nodes, each thing once: so that a pass does not make what the next ones would only go through and merge. */
export function onceEach(visit: Visit): Visit {
  const unify = unifying();
  return (node, inputs) => {
    const made = visit(node, inputs);
    return made ? made.map((t) => unify(t.node, t.node.inputs)?.[t.index] ?? t) : unify(node, inputs);
  };
}

/** Same operation, attributes, inputs: one node. */
export const mergeCommonSubexpressions = (outputs: readonly Tensor[]): Tensor[] => rewriteGraph(outputs, unifying());
