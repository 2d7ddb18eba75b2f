import { applyPrimitive } from "../apply-primitive.js";
import type { Box } from "../box.js";
import { callComposite } from "../composite.js";
import { type Node, type Tensor, topologicalOrder } from "../graph.js";
import { cut } from "../ops/cut.js";
import { PRIMITIVES } from "../primitives/index.js";
import { sizeOf } from "../shape.js";
import { graphInputs, isLeaf, rewriteGraph } from "./rewrite.js";

/** The slice `box` of a call's result as a call on slices of its inputs; undefined where it does not go through. */
function push({ op, attrs, inputs, outputs, composite }: Node, box: Box): Tensor | undefined {
  const rule = composite ? composite.definition.slice : PRIMITIVES[op]!.slice;
  const part = rule?.({ inputs, output: outputs[0]!, attrs }, box);
  if (!part) return undefined;
  const parts = inputs.map((t, i) => cut(t, part.boxes[i]!));
  const smaller = part.attrs ?? attrs;
  const result = composite ? callComposite(composite.definition, parts, smaller)[0]! : applyPrimitive(op, parts, smaller);
  return part.within ? cut(result, part.within) : result;
}

/** Nodes that are used by slices alone, which together take no more than there is: computing only those parts never costs more. */
function sliceable(outputs: readonly Tensor[]): Set<Node> {
  const taken = new Map<Node, Map<string, number>>();
  const take = (t: Tensor, box: string, elements: number): void =>
    void taken.set(t.node, (taken.get(t.node) ?? new Map<string, number>()).set(box, elements));
  for (const t of outputs) take(t, "all", Infinity);
  for (const node of topologicalOrder(outputs, graphInputs)) {
    const sliced = node.op === "slice";
    for (const t of graphInputs(node))
      take(t, sliced ? JSON.stringify(node.attrs) : "all", sliced ? sizeOf(node.outputs[0]!.shape) : Infinity);
  }
  const fits = ([node, boxes]: [Node, Map<string, number>]): boolean =>
    !isLeaf(node) && [...boxes.values()].reduce((a, b) => a + b, 0) <= sizeOf(node.outputs[0]!.shape);
  return new Set([...taken].filter(fits).map(([node]) => node));
}

/**
 * Moves slices toward the leaves, so that "rows 0–255 of W + s·B·A" reads and computes only those rows. A slice stops
 * where it does not go through (reductions over the axis, reshapes of it, convolutions) or where the whole is needed anyway.
 */
export function pushSlices(outputs: readonly Tensor[]): Tensor[] {
  let current = [...outputs];
  for (let changed = true; changed;) {
    changed = false;
    const candidates = sliceable(current);
    current = rewriteGraph(current, (node, inputs) => {
      if (node.op !== "slice" || !candidates.has(node.inputs[0]!.node) || isLeaf(inputs[0]!.node)) return undefined;
      const [start, size, step] = [node.attrs.start, node.attrs.size, node.attrs.step] as number[][];
      const result = push(
        inputs[0]!.node,
        start!.map((s, i) => ({ start: s, size: size![i]!, step: step![i]! })),
      );
      changed ||= result !== undefined;
      return result && [result];
    });
  }
  return current;
}
