import type { Node, Tensor } from "../graph.js";
import { PRIMITIVES } from "../primitives/index.js";
import type { Strided } from "../primitives/primitive.js";
import { contiguousStrides, isContiguous } from "../shape.js";
import { isLeaf } from "../passes/rewrite.js";

/** A tensor as a strided view of another one that lies in memory; strides and offset in elements. */
export interface View extends Strided {
  readonly base: Tensor;
}

/** A whole tensor in row-major order. */
export function wholeView(t: Tensor): View {
  return { base: t, shape: t.shape, strides: contiguousStrides(t.shape), offset: 0 };
}

/** True if the view's elements lie in row-major order without gaps. */
export function isDense(view: View): boolean {
  return isContiguous(view.shape, view.strides);
}

/** The view that a movement makes of a view; undefined for a reshape that needs a copy, and for what is no movement. */
export function moveView({ op, attrs, outputs }: Node, view: View): View | undefined {
  const moved = PRIMITIVES[op]?.view?.(view, outputs[0]!.shape, attrs);
  return moved && { ...moved, base: view.base };
}

/** True for operations that only rename elements; they become strides, not kernels. */
export function isMovement(node: Node): boolean {
  return PRIMITIVES[node.op]?.view !== undefined && !isLeaf(node);
}
