import type { Tensor } from "@weft/tensor-core";
import { reshape, scatterAdd, zeros } from "./core.js";
import type { Size } from "./define.js";

/** A matrix [out, in] of zeros but for `values` added at the flat places `index`. */
export const sparse = (values: Tensor, index: Tensor, size: Size): Tensor =>
  reshape(scatterAdd(zeros([size.out * size.in]), index, values), [size.out, size.in]);
