import type { DType } from "./dtype.js";
import type { Shape } from "./shape.js";

/** Shape and dtype of a tensor: all that rules of shapes need to know of it. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}
