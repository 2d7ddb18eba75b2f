import { assertDType, type DType } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { applyPrimitive } from "../apply-primitive.js";

/**
 * Another dtype: floats to nearest (ties to even), floats to integers toward zero, anything to bool by `≠ 0`. On every backend NaN becomes the
 * integer 0, floats beyond i32 its nearest limit; i8 and u8 take the low 8 bits of the i32 (300 → 44 as u8), as torch does on x86.
 * @throws DTypeError for what is no dtype
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  assertDType(dtype);
  return x.dtype === dtype ? x : applyPrimitive("cast", [x], { dtype });
}

/**
 * The same bits read as another dtype of that width: f32 and i32; f16 and bf16; i8, u8 and the f8 types. As there is no integer of 16
 * bits, i32 stands for one: a half gives 0 … 65535, and an i32 gives the half in its low 16 bits. Of a NaN only that it is one is kept.
 * @throws DTypeError for other widths, and for bool
 */
export function bitcast(x: Tensor, dtype: DType): Tensor {
  assertDType(dtype);
  return x.dtype === dtype ? x : applyPrimitive("bitcast", [x], { dtype });
}
