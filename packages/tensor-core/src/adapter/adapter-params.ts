import { type DType, isFloat } from "../dtype.js";
import { cast } from "../ops/cast.js";
import type { Params } from "./method.js";

/**
 * The parameters of a layer as PEFT holds them once they are read, whatever the dtype of their file: floats in f32, or, without
 * `autocast_adapter_dtype`, in the dtype of the layer's weight. Lazy: nothing is copied before it is used.
 * @param dtype of the layer's weight
 * @see peft `tuners/tuners_utils.py` cast_adapter_dtype, _move_adapter_to_device_of_base_layer
 */
export function adapterParams(params: Params, dtype: DType, autocastAdapterDtype = true): Params {
  const held = autocastAdapterDtype || !isFloat(dtype) ? "f32" : dtype;
  return Object.fromEntries(Object.entries(params).map(([name, t]) => [name, isFloat(t.dtype) ? cast(t, held) : t]));
}
