import { loraLinear as call } from "../../../composites/lora-linear.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { swapLast } from "../../../ops/movement.js";
import { type ConformanceCase, products, sample, ulp } from "../../case.js";

function layer(d: Device, m: number, k: number, n: number, r: number, dtype: DType = "f32", adapter: DType = "f32", bias = true): Tensor {
  const [a, b] = [sample(d, [r, k], adapter, 3), sample(d, [n, r], adapter, 4)];
  return call(sample(d, [m, k], dtype), sample(d, [n, k], dtype, 2), a, b, 0.5, bias ? sample(d, [n], dtype, 5) : undefined);
}

export const loraLinear: readonly ConformanceCase[] = [
  ...(
    [
      [33, 40, 35, 4],
      [1, 64, 65, 8],
      [3, 17, 5, 1],
      [65, 30, 9, 16],
    ] as const
  ).map(([m, k, n, r]): ConformanceCase => ({
    name: `loraLinear: ${m} rows, ${k} → ${n}, rank ${r}, with and without bias`,
    build: (d) => [layer(d, m, k, n, r), layer(d, m, k, n, r, "f32", "f32", false)],
    tolerance: products(k + r),
  })),
  {
    name: "loraLinear: leading axes, transposed weight, no rows",
    build: (d) => [
      call(sample(d, [2, 3, 8]), sample(d, [6, 8], "f32", 2), sample(d, [2, 8], "f32", 3), sample(d, [6, 2], "f32", 4), 2),
      call(sample(d, [5, 8]), swapLast(sample(d, [8, 6], "f32", 2)), sample(d, [2, 8], "f32", 3), swapLast(sample(d, [2, 6], "f32", 4)), 2),
      layer(d, 0, 8, 6, 2),
    ],
    tolerance: products(10),
  },
  ...(
    [
      ["bf16", "bf16"],
      ["bf16", "f32"],
      ["f16", "f16"],
      ["f32", "bf16"],
    ] as const
  ).map(([dtype, adapter]): ConformanceCase => {
    const step = Math.max(ulp(dtype), ulp(adapter));
    return {
      name: `loraLinear: ${dtype} with an adapter in ${adapter}`,
      build: (d) => [layer(d, 9, 32, 10, 4, dtype, adapter), layer(d, 2, 32, 9, 4, dtype, adapter)],
      tolerance: {
        relative: 2 * step,
        absolute: 4 * step,
        reason: "the decomposition rounds the base, the low product and the sum; a kernel once",
      },
    };
  }),
];
