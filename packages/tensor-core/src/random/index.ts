export { torchKaimingUniform, torchNormal, torchRandperm, torchUniform } from "./distributions.js";
export { NumpyGenerator } from "./numpy.js";
export { TorchGenerator, torchGenerator } from "./mt19937.js";
