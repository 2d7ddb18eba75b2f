import { type Field, reshape, scatterAdd, type Tensor, zeros } from "@weft/tensor-core";
import type { Size } from "@weft/tensor-core/methods";

/** A matrix [out, in] of zeros but for `values` added at the flat places `index`. */
export const sparse = (values: Tensor, index: Tensor, size: Size): Tensor =>
  reshape(scatterAdd(zeros([size.out * size.in]), index, values), [size.out, size.in]);

/** Whether the file holds the places. Without them they depend on more than the file and the layer, so that only `true` is taken. */
export const SAVED_PLACES: Field = {
  fallback: true,
  check: (v) => v === true,
  expected: "true: save it again with PEFT so that it holds them",
};
