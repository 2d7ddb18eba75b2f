import { isFloat } from "../dtype.js";
import type { Node, Tensor } from "../graph.js";
import { full, ones } from "../ops/create.js";
import { cast } from "../ops/cast.js";
import { reshape, transpose } from "../ops/movement.js";
import { applyPrimitive } from "../apply-primitive.js";
import { type ReduceOp, REDUCTIONS } from "../primitives/reduce.js";
import { sizeOf } from "../shape.js";
import { rewriteGraph } from "./rewrite.js";

/**
 * Brings every reduction into the one form that fused programs have: over trailing axes.
 * A float sum over leading axes becomes a product with a row of ones, which reads memory in order; any other
 * reduction moves its axes to the end. A reduction of no elements is its neutral element.
 */
export function normalizeReductions(outputs: readonly Tensor[]): Tensor[] {
  return rewriteGraph(outputs, (node: Node, inputs) => {
    if (node.op !== "reduce") return undefined;
    const [x] = inputs as [Tensor];
    const axes = node.attrs.axes as readonly number[];
    const rank = x.shape.length;
    const { shape, dtype } = node.outputs[0]!;
    if (axes.some((a) => x.shape[a] === 0)) return [full(shape, REDUCTIONS[node.attrs.how as ReduceOp].start, dtype)];
    if (axes.every((a, i) => a === rank - axes.length + i)) return undefined;
    const leading = axes.every((a, i) => a === i);
    if (leading && node.attrs.how === "sum" && isFloat(x.dtype)) {
      const count = sizeOf(x.shape.slice(0, axes.length));
      const flat = reshape(x, [count, x.size / count]);
      return [cast(reshape(applyPrimitive("matmul", [ones([1, count], x.dtype), flat]), shape), dtype)];
    }
    const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const moved = transpose(x, [...kept, ...axes]);
    return [applyPrimitive("reduce", [moved], { how: node.attrs.how!, axes: axes.map((_, i) => kept.length + i) })];
  });
}
