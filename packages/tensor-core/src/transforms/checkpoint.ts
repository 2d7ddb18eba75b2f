import { callComposite, type Composite } from "../composite.js";
import { isFloat } from "../dtype.js";
import { type Node, Tensor, topologicalOrder } from "../graph.js";
import { barrier } from "../ops/elementwise.js";
import { full } from "../ops/create.js";
import { vjp } from "./grad.js";
import { substitute } from "../passes/rewrite.js";

/** The tensors that exist outside a trace and that `outputs` use: nodes made up to `mark`. */
function frontier(outputs: readonly Tensor[], mark: number): Tensor[] {
  const inside = topologicalOrder(outputs, (n) => (n.id <= mark ? [] : n.inputs)).filter((n) => n.id > mark);
  const found = new Map<Node, Set<number>>();
  for (const t of [...inside.flatMap((n) => n.inputs), ...outputs]) {
    if (t.node.id <= mark) found.set(t.node, (found.get(t.node) ?? new Set<number>()).add(t.index));
  }
  return [...found].flatMap(([node, indices]) => [...indices].map((i) => new Tensor(node, i)));
}

/**
 * The same function, but what it computes inside is not kept for the backward pass: gradients compute it again
 * from its inputs (tensors that it closes over included), once the gradient of its results is known.
 * @see Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"
 */
export function checkpoint<A extends readonly unknown[]>(fn: (...args: A) => Tensor): (...args: A) => Tensor {
  return (...args) => {
    const mark = full([], 0).node.id;
    const traced = fn(...args);
    const outside = frontier([traced], mark);
    const definition: Composite = {
      name: "checkpoint",
      decompose: (inputs) => substitute([traced], outside, inputs),
      vjp: (inputs, _, __, [dy]) => {
        if (!dy) return [];
        const again = inputs.map((x) => (isFloat(x.dtype) ? barrier(x, dy) : x));
        return vjp(substitute([traced], outside, again), [dy], again);
      },
    };
    return callComposite(definition, outside)[0]!;
  };
}
