// Losses, gradients and draws: the group `training`.
export { attentionBackward } from "../attention/attention-backward.wasm";
export { columnSum } from "../column-sum/column-sum.wasm";
export { crossEntropy, crossEntropyBackward } from "../cross-entropy/cross-entropy.wasm";
export { scatterAdd } from "../scatter-add/scatter-add.wasm";
export { threefry } from "../random/threefry.wasm";
