import type { Node, Tensor } from "../graph.js";
import { contiguousStrides, isContiguous, reshapeStrides, type Shape } from "../shape.js";
import { isLeaf } from "../passes/rewrite.js";

/** A tensor as a strided view of another one that lies in memory; strides and offset in elements. */
export interface View {
  readonly base: Tensor;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
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
  const shape = outputs[0]!.shape;
  switch (op) {
    case "stopGradient":
    case "barrier":
      return view;
    case "reshape": {
      const strides = reshapeStrides(view.shape, view.strides, shape);
      return strides && { ...view, shape, strides };
    }
    case "transpose":
      return { ...view, shape, strides: (attrs.axes as number[]).map((a) => view.strides[a]!) };
    case "broadcast":
      return { ...view, shape, strides: view.strides.map((s, i) => (view.shape[i] === shape[i] ? s : 0)) };
    case "slice": {
      const [start, step] = [attrs.start as number[], attrs.step as number[]];
      return {
        ...view,
        shape,
        strides: view.strides.map((s, i) => s * step[i]!),
        offset: view.offset + start.reduce((sum, s, i) => sum + s * view.strides[i]!, 0),
      };
    }
    case "flip": {
      const axes = new Set(attrs.axes as number[]);
      const offset = view.offset + shape.reduce((sum, d, i) => sum + (axes.has(i) ? (d - 1) * view.strides[i]! : 0), 0);
      return { ...view, strides: view.strides.map((s, i) => (axes.has(i) ? -s : s)), offset };
    }
    default:
      return undefined;
  }
}

const MOVEMENTS = new Set(["reshape", "transpose", "broadcast", "slice", "flip", "stopGradient", "barrier"]);

/** True for operations that only rename elements; they become strides, not kernels. */
export function isMovement(node: Node): boolean {
  return MOVEMENTS.has(node.op) && !isLeaf(node);
}
