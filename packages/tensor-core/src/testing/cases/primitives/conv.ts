import * as o from "../../../ops/index.js";
import { type ConformanceCase, products, sample } from "../../case.js";

export const conv: readonly ConformanceCase[] = [
  {
    name: "conv: one, two and three dimensions",
    build: (d) => [
      o.conv(sample(d, [2, 3, 11]), sample(d, [5, 3, 4], "f32", 2), { stride: 2, padding: 1 }),
      o.conv(sample(d, [2, 4, 7, 9]), sample(d, [6, 4, 3, 3], "f32", 2), { padding: 1 }),
      o.conv(sample(d, [1, 2, 4, 5, 6]), sample(d, [5, 2, 2, 3, 1], "f32", 2), { dilation: [1, 2, 1] }),
    ],
    tolerance: products(36),
  },
  {
    name: "conv: groups, depthwise and causal, strides",
    build: (d) => [
      o.conv(sample(d, [2, 6, 8]), sample(d, [6, 1, 4], "f32", 2), { groups: 6, padding: [[3, 0]] }),
      o.conv(sample(d, [1, 4, 8, 6]), sample(d, [6, 2, 3, 2], "f32", 2), { groups: 2, stride: 2, padding: 1, dilation: [2, 1] }),
    ],
    tolerance: products(12),
  },
  {
    name: "conv: dilated input, one-sided and negative padding",
    build: (d) => [
      o.conv(sample(d, [1, 4, 6, 6]), sample(d, [10, 2, 3, 2], "f32", 2), {
        groups: 2,
        inputDilation: 2,
        padding: [
          [2, 1],
          [-1, 2],
        ],
      }),
      o.conv(sample(d, [1, 3, 10]), sample(d, [7, 3, 2], "f32", 2), { padding: [[-2, -1]], stride: 3 }),
    ],
    tolerance: products(12),
  },
  {
    name: "conv: bf16, alone and with f32",
    build: (d) => [
      o.conv(sample(d, [1, 3, 6, 5], "bf16"), sample(d, [5, 3, 3, 3], "bf16", 2)),
      o.conv(sample(d, [1, 3, 6, 6], "bf16"), sample(d, [6, 3, 3, 3], "f32", 2)),
    ],
    tolerance: products(27, "bf16"),
  },
  {
    name: "conv: transposed and sliced views",
    build: (d) => [
      o.conv(o.transpose(sample(d, [9, 2, 3]), [1, 2, 0]), o.flip(sample(d, [4, 3, 2], "f32", 2), [2])),
      o.conv(o.slice(sample(d, [3, 4, 6]), [[1, 3], undefined, [1, 6]]), sample(d, [2, 4, 5], "f32", 2)),
    ],
    tolerance: products(20),
  },
];
