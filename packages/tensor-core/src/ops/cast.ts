import { assertDType, type DType } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { applyPrimitive } from "../apply-primitive.js";

/** Another dtype: floats to nearest (ties to even), floats to integers toward zero, anything to bool by `≠ 0`. @throws DTypeError */
export function cast(x: Tensor, dtype: DType): Tensor {
  assertDType(dtype);
  return x.dtype === dtype ? x : applyPrimitive("cast", [x], { dtype });
}
