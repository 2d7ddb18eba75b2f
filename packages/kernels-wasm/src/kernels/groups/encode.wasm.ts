// Numbers into few bits: the group `encode`, which is called from where weights are made, not from plans.
export { encodeQ4_0, encodeQ8_0 } from "../encode/blocks-of-32.wasm";
export { encodeFourBit } from "../encode/four-bit.wasm";
export { searchAffine } from "../encode/search-affine.wasm";
export { searchSymmetric } from "../encode/search-symmetric.wasm";
