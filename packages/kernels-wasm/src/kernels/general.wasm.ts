// The module with everything that has no use for fused multiply-add: one build.
export { argReduce } from "./arg-reduce/arg-reduce.wasm";
export { columnSum } from "./column-sum/column-sum.wasm";
export { im2col } from "./conv/im2col.wasm";
export { cumulate } from "./cumsum/cumulate.wasm";
export { firstNonFinite } from "./first-non-finite/first-non-finite.wasm";
export { gatherRows } from "./gather/gather-rows.wasm";
export { threefry } from "./random/threefry.wasm";
export { scatterAdd } from "./scatter-add/scatter-add.wasm";
export { topK } from "./top-k/top-k.wasm";
