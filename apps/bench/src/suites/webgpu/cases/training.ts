import {
  adamwStep,
  full,
  globalNorm,
  gradients,
  layerNorm,
  mul,
  ones,
  rmsNorm,
  rope,
  silu,
  softmax,
  softmaxCrossEntropy,
  sum,
  tensor,
  topK,
} from "@weft/tensor-core";
import { F32, type KernelCase, type Sizes } from "./case.js";

/** Norms, losses, optimizers: what reads and writes more than it computes. */
export function trainingCases({ width: d, tokens: m, vocabulary: V, heads: H, headWidth: h }: Sizes): KernelCase[] {
  const P = d * d;
  const labels = tensor(Int32Array.from({ length: m }, (_, i) => (i * 31) % V));
  return [
    {
      name: `silu(x·y), ${m}×${d}`,
      kernels: [],
      flops: 2 * m * d,
      bytes: 3 * F32 * m * d,
      build: (x) => silu(mul(x([m, d]), x([m, d], "f32", 2))),
    },
    { name: `rmsNorm ${m}×${d}`, kernels: [], flops: 4 * m * d, bytes: 2 * F32 * m * d, build: (x) => rmsNorm(x([m, d]), ones([d]), 1e-5) },
    {
      name: `rmsNorm, its weight's gradient, ${m}×${d}`,
      kernels: ["normWeightGradient"],
      flops: 8 * m * d,
      bytes: 2 * F32 * m * d,
      build(x) {
        const w = x([d], "f32", 2);
        return gradients(sum(mul(rmsNorm(x([m, d]), w, 1e-5), x([m, d], "f32", 3))), [w]);
      },
    },
    {
      name: `layerNorm ${m}×${d}`,
      kernels: [],
      flops: 8 * m * d,
      bytes: 2 * F32 * m * d,
      build: (x) => layerNorm(x([m, d]), x([d], "f32", 2), x([d], "f32", 3), 1e-5),
    },
    { name: `softmax ${m}×${V}`, kernels: [], flops: 5 * m * V, bytes: 2 * F32 * m * V, build: (x) => softmax(x([m, V])) },
    {
      name: `cross-entropy and its gradient ${m}×${V}`,
      kernels: [],
      flops: 5 * m * V,
      bytes: 2 * F32 * m * V,
      build(x) {
        const logits = x([m, V]);
        return gradients(softmaxCrossEntropy(logits, labels), [logits]);
      },
    },
    {
      name: `RoPE, ${H} heads of ${h}, ${m} tokens`,
      kernels: [],
      flops: 3 * m * H * h,
      bytes: F32 * (2 * m * H * h + 2 * m * h),
      build: (x) => rope(x([1, H, m, h]), x([1, m, h], "f32", 2), x([1, m, h], "f32", 3)),
    },
    {
      name: `AdamW, ${P} parameters`,
      kernels: ["adamwStep"],
      flops: 15 * P,
      bytes: 7 * F32 * P,
      known: (x) => [mul(x([P], "f32", 4), x([P], "f32", 4))],
      build(x, [v0]) {
        const state = { p: x([P]), g: x([P], "f32", 2), m: x([P], "f32", 3), v: v0! };
        const {
          p,
          m: first,
          v,
        } = adamwStep({ ...state, lr: full([], 1e-3), step: full([], 3) }, { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 });
        return [p, first, v];
      },
    },
    {
      name: `global norm of 8 tensors, ${P} numbers`,
      kernels: ["globalNorm"],
      flops: 2 * P,
      bytes: F32 * P,
      build: (x) => globalNorm(Array.from({ length: 8 }, (_, i) => x([P / 8], "f32", i + 1))),
    },
    {
      name: `top 40 of ${V}`,
      kernels: ["topK"],
      flops: V,
      bytes: F32 * V,
      build(x) {
        const { values } = topK(x([1, V]), 40);
        return values;
      },
    },
  ];
}
