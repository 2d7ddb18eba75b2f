import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { sameShape, type Shape } from "../shape.js";

/** Checks the inputs of a composite. @param because what their shapes follow from @throws ShapeError naming the first that does not fit */
export function assertShapes(
  composite: string,
  because: string,
  inputs: readonly (readonly [name: string, t: Tensor, shape: Shape])[],
): void {
  for (const [name, t, shape] of inputs)
    if (!sameShape(t.shape, shape)) throw new ShapeError(`${composite}: ${name} is [${t.shape}], expected [${shape}]: ${because}`);
}
