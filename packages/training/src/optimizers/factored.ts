import { mean, sqrt, square, type Tensor } from "@weft/tensor-core";

/** √mean x², []. */
export const rms = (x: Tensor): Tensor => sqrt(mean(square(x)));

/** Whether second moments are kept as those of rows and columns. */
export const isFactored = ({ shape }: Tensor): boolean => shape.length >= 2;
