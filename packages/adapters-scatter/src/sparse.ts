import { reshape, scatterAdd, type Tensor, zeros } from "@weft/tensor-core";
import type { Size } from "@weft/tensor-core/methods";

/** A matrix [out, in] of zeros but for `values` added at the flat places `index`. */
export const sparse = (values: Tensor, index: Tensor, size: Size): Tensor =>
  reshape(scatterAdd(zeros([size.out * size.in]), index, values), [size.out, size.in]);
