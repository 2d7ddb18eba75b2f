// Convolutions and sorting: the group `further`.
export { argSort } from "../arg-sort/arg-sort.wasm";
export { im2col } from "../conv/im2col.wasm";
