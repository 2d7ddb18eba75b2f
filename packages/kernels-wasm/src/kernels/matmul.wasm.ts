// The module with multiply-adds, which `plain-simd.ts` makes plain products and sums of where there is no relaxed SIMD.
export { attention } from "./attention/attention.wasm";
export { attentionBackward } from "./attention/attention-backward.wasm";
export { crossEntropy, crossEntropyBackward } from "./cross-entropy/cross-entropy.wasm";
export { merge } from "./merge/merge.wasm";
export { multiLora } from "./multi-lora/multi-lora.wasm";
export { packRight } from "./merge/pack-right.wasm";
export { gemm } from "./product/gemm.wasm";
export { gemvAxpy } from "./product/gemv-axpy.wasm";
export { gemvDot } from "./product/gemv-dot.wasm";
export { selectiveScan } from "./selective-scan/selective-scan.wasm";
export { wkv } from "./wkv/wkv.wasm";
import { madd } from "./float.wasm";

/** (1 + 2^-12)² - (1 + 2^-11): 2^-24 if `madd` is fused, 0 if the product was rounded first. */
export function probeFused(): f32 {
  const x = f32x4.splat(1.000244140625);
  return f32x4.extract_lane(madd(x, x, f32x4.splat(-1.00048828125)), 0);
}
