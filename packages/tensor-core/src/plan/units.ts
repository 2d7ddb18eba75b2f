import type { Node, Tensor } from "../graph.js";
import type { Shape } from "../shape.js";
import { sameShape } from "../shape.js";
import { PRIMITIVES } from "../primitives/index.js";
import { isMovement } from "./views.js";

/**
 * What becomes one step of a plan: a group of elementwise operations and row reductions over one iteration
 * space, or a single operation.
 */
export class Unit {
  readonly id: number;
  readonly fused: boolean;
  readonly nodes: Node[];
  readonly space: Shape;
  /** Trailing axes of the space that reductions run over; 0 while there is no reduction. */
  reduced = 0;
  /** Place in an order in which units can run. */
  rank = 0;
  /** Units that it takes something from, and units that take something from it. */
  readonly before: Set<Unit> = new Set();
  readonly after: Set<Unit> = new Set();
  /** Tensors that it reads from memory. */
  readonly loads: Set<string> = new Set();
  /** Set when another unit has taken it in. */
  mergedInto: Unit | undefined;

  constructor(id: number, node: Node, space: Shape, fused: boolean) {
    this.id = id;
    this.nodes = [node];
    this.space = space;
    this.fused = fused;
  }
}

/** The unit that a unit has become by merging. */
export function current(unit: Unit): Unit {
  let u = unit;
  while (u.mergedInto) {
    u.mergedInto = u.mergedInto.mergedInto ?? u.mergedInto;
    u = u.mergedInto;
  }
  return u;
}

/** `full`: one value per element of the space; `row`: one value per row (with or without the reduced axes as 1s). */
export type Kind = "full" | "row";

/** How a tensor of this shape lies in a space; undefined if it does not. */
export function kindIn(space: Shape, reduced: number, shape: Shape): Kind | undefined {
  if (sameShape(shape, space)) return "full";
  if (reduced === 0) return undefined;
  const lead = space.length - reduced;
  const rows = sameShape(shape.slice(0, lead), space.slice(0, lead)) && shape.slice(lead).every((d) => d === 1);
  return rows && (shape.length === lead || shape.length === space.length) ? "row" : undefined;
}

/** A tensor's producer with renamings in between: what a group looks through to find its own members. */
export interface Peeled {
  readonly source: Tensor;
  /** Shapes met on the way, from the tensor down to the source. */
  readonly shapes: readonly Shape[];
  /** True if only renamings that keep one value per row (or per element) were met. */
  readonly plain: boolean;
}

export function peel(t: Tensor): Peeled {
  const shapes: Shape[] = [t.shape];
  let source = t;
  let plain = true;
  while (isMovement(source.node)) {
    plain &&= PRIMITIVES[source.node.op]!.ordered === true;
    source = source.node.inputs[0]!;
    shapes.push(source.shape);
  }
  return { source, shapes, plain };
}
