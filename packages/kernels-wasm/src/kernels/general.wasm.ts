// The module with everything that has no use for fused multiply-add: one build.
export { argSort } from "./arg-sort/arg-sort.wasm";
export { argReduce } from "./arg-reduce/arg-reduce.wasm";
export { columnSum } from "./column-sum/column-sum.wasm";
export { im2col } from "./conv/im2col.wasm";
export { firstNonFinite } from "./first-non-finite/first-non-finite.wasm";
export { gatherRows } from "./gather/gather-rows.wasm";
export { threefry } from "./random/threefry.wasm";
export { scanLines } from "./scan/scan-lines.wasm";
export { scatterAdd } from "./scatter-add/scatter-add.wasm";
export { topK } from "./top-k/top-k.wasm";
