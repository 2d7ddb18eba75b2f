// Numbers into few bits: the group `encode`, which is called from where weights are made, not from plans.
export { encodeFourBit } from "../encode/four-bit.wasm";
export { searchAffine } from "../encode/search-affine.wasm";
export { searchSymmetric } from "../encode/search-symmetric.wasm";
