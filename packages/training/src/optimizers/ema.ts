import { add, mul, sub, type Tensor } from "@weft/tensor-core";

/**
 * The running average of a parameter: e ← e + (1 - d)·(θ - e).
 * @param decay d, below 1
 * @see Polyak & Juditsky 1992; diffusers `training_utils.py` EMAModel
 */
export const emaStep = (average: Tensor, param: Tensor, decay: number): Tensor => add(average, mul(sub(param, average), 1 - decay));
