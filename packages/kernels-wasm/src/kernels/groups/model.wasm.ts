// What models run besides products: the group `model`.
export { argReduce } from "../arg-reduce/arg-reduce.wasm";
export { attention } from "../attention/attention.wasm";
export { gatherRows } from "../gather/gather-rows.wasm";
export { multiLora } from "../multi-lora/multi-lora.wasm";
export { topK } from "../top-k/top-k.wasm";
