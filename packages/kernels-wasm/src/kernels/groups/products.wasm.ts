// Products of matrices: what nearly every program has. The module is there from the start.
export { gemm } from "../product/gemm.wasm";
export { gemvAxpy } from "../product/gemv-axpy.wasm";
export { gemvDot } from "../product/gemv-dot.wasm";
export { probeFused } from "../product/probe-fused.wasm";
