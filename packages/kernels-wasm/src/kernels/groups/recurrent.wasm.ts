// Running sums and the recurrences of models with states: the group `recurrent`.
export { scanLines } from "../scan/scan-lines.wasm";
export { selectiveScan } from "../selective-scan/selective-scan.wasm";
export { wkv } from "../wkv/wkv.wasm";
