// Merging of adapters into weights: the group `merge`.
export { firstNonFinite } from "../first-non-finite/first-non-finite.wasm";
export { merge } from "../merge/merge.wasm";
export { packRight } from "../merge/pack-right.wasm";
