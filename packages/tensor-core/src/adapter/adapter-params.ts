import { type DType, isFloat } from "../dtype.js";
import { cast } from "../ops/cast.js";
import type { Params } from "./method.js";

/**
 * The dtype in which PEFT holds the floats of an adapter on a weight once it is read, whatever the dtype of its file: f32, or, without
 * `autocast_adapter_dtype`, that of the weight.
 * @see peft `tuners/tuners_utils.py` cast_adapter_dtype, _move_adapter_to_device_of_base_layer
 */
export const adapterDType = (weight: DType, autocastAdapterDtype: boolean): DType =>
  autocastAdapterDtype || !isFloat(weight) ? "f32" : weight;

/** The parameters of a layer in the dtype in which PEFT holds them. Lazy: nothing is copied before it is used. */
export function adapterParams(params: Params, weight: DType, autocastAdapterDtype = true): Params {
  const held = adapterDType(weight, autocastAdapterDtype);
  return Object.fromEntries(Object.entries(params).map(([name, t]) => [name, isFloat(t.dtype) ? cast(t, held) : t]));
}
