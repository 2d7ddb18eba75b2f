import type { Attrs } from "../attrs.js";
import { rebuildNode } from "../composite.js";
import { exactJson } from "../exact-json.js";
import { Tensor } from "../graph.js";
import { isLeaf, rewriteGraph, type Visit } from "./rewrite.js";

/** Numbers for things, counted as they come: equal things get equal numbers. */
function numbering<T>(): (thing: T) => number {
  const numbers = new Map<T, number>();
  return (thing) => {
    const known = numbers.get(thing) ?? numbers.size;
    numbers.set(thing, known);
    return known;
  };
}

function isEmpty(attrs: Attrs): boolean {
  for (const _ in attrs) return false;
  return true;
}

/**
 * Same operation, attributes, inputs: one node. Barriers keep apart what is recomputed on purpose.
 * @returns a visit that knows every node that it has seen
 */
function unifying(): Visit {
  const known = new Map<string, readonly Tensor[]>();
  // Definitions made per call (checkpoint) share a name.
  const definition = numbering();
  return (node, inputs) => {
    if (isLeaf(node) || node.op === "barrier") return undefined;
    let key = node.composite ? `${node.op} ${definition(node.composite.definition)}` : node.op;
    if (!isEmpty(node.attrs)) key += exactJson(node.attrs);
    for (const t of inputs) key += `,${t.node.id}.${t.index}`;
    const same = known.get(key);
    if (same) return same;
    const changed = inputs.some((t, i) => t.node !== node.inputs[i]!.node || t.index !== node.inputs[i]!.index);
    const results = changed ? rebuildNode(node, inputs) : undefined;
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
