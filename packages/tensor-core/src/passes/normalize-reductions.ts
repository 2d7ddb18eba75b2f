import { isFloat } from "../dtype.js";
import type { Node, Tensor } from "../graph.js";
import { full } from "../ops/create.js";
import { reshape, transpose } from "../ops/movement.js";
import { applyPrimitive } from "../apply-primitive.js";
import { type ReduceOp, REDUCTIONS } from "../primitives/reduce.js";
import { sizeOf } from "../shape.js";
import { rewriteGraph } from "./rewrite.js";
import { simplifyNode } from "./simplify.js";

/** A node that this pass has made, simplified as those that it meets. */
const tidy = (t: Tensor): Tensor => simplifyNode(t.node, t.node.inputs)?.[0] ?? t;

/**
 * Brings every reduction into one of the two forms that backends have: over trailing axes, which fused programs do, and the float sum of a
 * matrix over its rows, a step of its own that reads memory in order. A reduction of no elements is its neutral element. All nodes are
 * simplified on the way, as what is made here may cancel out with what is there.
 */
export function normalizeReductions(outputs: readonly Tensor[]): Tensor[] {
  return rewriteGraph(outputs, (node: Node, inputs) => {
    if (node.op !== "reduce") return simplifyNode(node, inputs);
    const [x] = inputs as [Tensor];
    const axes = node.attrs.axes as readonly number[];
    const rank = x.shape.length;
    const { shape, dtype } = node.outputs[0]!;
    if (axes.some((a) => x.shape[a] === 0)) return [full(shape, REDUCTIONS[node.attrs.how as ReduceOp].start, dtype)];
    if (axes.every((a, i) => a === rank - axes.length + i)) return undefined;
    // What is a transpose lies in memory the other way round: the axes that come first may well be the innermost there.
    if (axes.every((a, i) => a === i) && node.attrs.how === "sum" && isFloat(dtype) && x.node.op !== "transpose") {
      const count = sizeOf(x.shape.slice(0, axes.length));
      const matrix = tidy(reshape(x, x.size === count ? [count] : [count, x.size / count]));
      return [reshape(applyPrimitive("reduce", [matrix], { how: "sum", axes: [0] }), shape)];
    }
    const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const moved = tidy(transpose(x, [...kept, ...axes]));
    return [applyPrimitive("reduce", [moved], { how: node.attrs.how!, axes: axes.map((_, i) => kept.length + i) })];
  });
}
