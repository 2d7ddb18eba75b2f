import {
  attention,
  cast,
  conv,
  dequantize,
  gradients,
  INT8_ROWS,
  linear,
  loraLinear,
  matmul,
  mergeLowRank,
  mul,
  sum,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { BF16, F32, type KernelCase, type Make, type Sizes } from "./case.js";

const INT8 = 1;

/** Matrix products, attention and LoRA, forward and backward. */
export function productCases({ width: d, tokens: m, rank: r, heads: H, headWidth: h }: Sizes): KernelCase[] {
  const product = (rows: number, k: number, n: number, bytes = F32): Pick<KernelCase, "flops" | "bytes"> => ({
    flops: 2 * rows * k * n,
    bytes: F32 * rows * k + bytes * k * n + F32 * rows * n,
  });
  const channels = Math.max(4, d / 16);
  const [side, taps] = [Math.max(8, d / 64), 9];
  return [
    { name: `matmul ${d}×${d}·${d}×${d}`, kernels: ["matmul"], ...product(d, d, d), build: (x) => matmul(x([d, d]), x([d, d], "f32", 2)) },
    { name: `linear ${m}×${d}·${d}×${d}`, kernels: ["matmul"], ...product(m, d, d), build: (x) => linear(x([m, d]), x([d, d], "f32", 2)) },
    {
      name: `linear, bf16 weight, ${m}×${d}·${d}×${d}`,
      kernels: ["matmul"],
      ...product(m, d, d, BF16),
      build: (x) => linear(x([m, d]), x([d, d], "bf16", 2)),
    },
    {
      name: `weight gradient ${d}×${m}·${m}×${d}`,
      kernels: ["matmul"],
      ...product(d, m, d),
      build: (x) => matmul(swapLast(x([m, d])), x([m, d], "f32", 2)),
    },
    { name: `vector 1×${d}·${d}×${d}`, kernels: ["matmul"], ...product(1, d, d), build: (x) => linear(x([1, d]), x([d, d], "f32", 2)) },
    {
      name: `vector, bf16 weight, 1×${d}·${d}×${d}`,
      kernels: ["matmul"],
      ...product(1, d, d, BF16),
      build: (x) => linear(x([1, d]), x([d, d], "bf16", 2)),
    },
    ...[1, m].map((rows) => ({
      name: `linear, weight of eight bits, ${rows}×${d}·${d}×${d}`,
      kernels: ["quantLinear"],
      ...product(rows, d, d, INT8),
      known: (x: Make) => [cast(mul(x([d, d], "f32", 2), 254), "i8")],
      build: (x: Make, [codes]: readonly Tensor[]) =>
        linear(x([rows, d]), dequantize({ format: INT8_ROWS, shape: [d, d], parts: { codes: codes!, absmax: x([d], "f32", 3) } })),
    })),
    {
      name: `conv 3×3, ${channels} channels, ${side}²`,
      kernels: ["conv"],
      flops: 2 * side * side * channels * channels * taps,
      bytes: F32 * (2 * side * side * channels + channels * channels * taps),
      build: (x) => conv(x([1, channels, side, side]), x([channels, channels, 3, 3], "f32", 2), { padding: 1 }),
    },
    {
      name: `attention, causal, ${H} heads of ${h}, ${m} tokens`,
      kernels: ["attention"],
      flops: (4 * H * m * m * h) / 2,
      bytes: 4 * F32 * m * H * h,
      build: (x) => attention(x([1, H, m, h]), x([1, H, m, h], "f32", 2), x([1, H, m, h], "f32", 3), { causal: true }),
    },
    {
      name: `attention and its gradients, causal, ${H} heads of ${h}, ${m} tokens`,
      kernels: ["attention", "attentionBackward"],
      flops: (14 * H * m * m * h) / 2,
      bytes: 12 * F32 * m * H * h,
      build(x) {
        const inputs = [x([1, H, m, h]), x([1, H, m, h], "f32", 2), x([1, H, m, h], "f32", 3)] as const;
        return gradients(sum(mul(attention(...inputs, { causal: true }), x([1, H, m, h], "f32", 4))), inputs);
      },
    },
    {
      name: `LoRA forward ${m}×${d}→${d}, rank ${r}`,
      kernels: ["loraLinear"],
      flops: 2 * m * d * d + 4 * m * r * d,
      bytes: F32 * (2 * m * d + d * d + 2 * r * d),
      build: (x) => loraLinear(x([m, d]), x([d, d], "f32", 2), x([r, d], "f32", 3), x([d, r], "f32", 4), 0.5),
    },
    {
      name: `LoRA gradients of x, A, B ${m}×${d}→${d}, rank ${r}`,
      kernels: ["loraLinearBackward", "loraFactorGradients"],
      flops: 2 * m * d * d + 8 * m * r * d,
      bytes: F32 * (3 * m * d + d * d + 4 * r * d),
      build(x) {
        const [input, a, b] = [x([m, d]), x([r, d], "f32", 3), x([d, r], "f32", 4)];
        return gradients(sum(mul(loraLinear(input, x([d, d], "f32", 2), a, b, 0.5), x([m, d], "f32", 5))), [input, a, b]);
      },
    },
    {
      name: `merge W + s·B·A, bf16 ${d}×${d}, rank ${r}`,
      kernels: ["mergeLowRank"],
      flops: 2 * d * d * r,
      bytes: 2 * BF16 * d * d + 2 * F32 * r * d,
      build: (x) => mergeLowRank(x([d, d], "bf16"), x([r, d], "f32", 2), x([d, r], "f32", 3), { scale: 0.5 }),
    },
  ];
}
