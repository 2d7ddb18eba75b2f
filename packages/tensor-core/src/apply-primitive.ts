import type { Attrs } from "./attrs.js";
import { makeNode, Tensor } from "./graph.js";
import { PRIMITIVES } from "./primitives/index.js";

/** Adds a call of a primitive to the graph. @throws ShapeError, DTypeError where the inputs do not fit it */
export function applyPrimitive(name: string, inputs: readonly Tensor[], attrs: Attrs = {}): Tensor {
  // A plain copy: a rule may answer with one of its inputs, which must neither be kept alive nor asked through.
  const { shape, dtype } = PRIMITIVES[name]!.infer(inputs, attrs);
  return new Tensor(makeNode(name, inputs, attrs, [{ shape, dtype }]));
}
