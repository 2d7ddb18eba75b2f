import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, products, sample } from "../../case.js";

const shapes = (
  [
    [1, 1, 1],
    [5, 7, 9],
    [33, 65, 31],
    [1, 65, 100],
    [3, 70, 66],
    [40, 33, 2],
    [65, 1, 65],
    [4, 8, 8],
  ] as const
).map(([m, k, n]): ConformanceCase => ({
  name: `matmul: ${m}×${k}·${n} in all transposes`,
  build: (d) => {
    const [a, b, at, bt] = [sample(d, [m, k]), sample(d, [k, n], "f32", 2), sample(d, [k, m], "f32", 3), sample(d, [n, k], "f32", 4)];
    return [o.matmul(a, b), o.matmul(a, o.swapLast(bt)), o.matmul(o.swapLast(at), b), o.matmul(o.swapLast(at), o.swapLast(bt))];
  },
  tolerance: products(k),
}));

const dtypes = (
  [
    ["bf16", "bf16"],
    ["f16", "f16"],
    ["f8e4m3", "f8e4m3"],
    ["f16", "bf16"],
    ["f32", "bf16"],
    ["f8e5m2", "f32"],
  ] as const
).map(([one, other]): ConformanceCase => ({
  name: `matmul: ${one} with ${other}`,
  build: (d) => {
    const a = sample(d, [9, 33], one);
    // Rows of even and odd length are stored differently; few rows are a kernel of their own.
    return [
      o.matmul(a, sample(d, [33, 8], other, 2)),
      o.matmul(o.rows(a, 0, 2), sample(d, [33, 9], other, 3)),
      o.matmul(a, o.swapLast(sample(d, [9, 33], other, 4))),
    ];
  },
  tolerance: products(33, one === other ? one : "f32"),
}));

export const matmul: readonly ConformanceCase[] = [
  ...shapes,
  ...dtypes,
  {
    name: "matmul: batches, also over broadcast axes",
    build: (d) => [
      o.matmul(sample(d, [3, 5, 6]), sample(d, [3, 6, 9])),
      o.matmul(sample(d, [2, 3, 5, 6]), sample(d, [3, 6, 9])),
      o.matmul(sample(d, [2, 1, 8, 6]), sample(d, [3, 6, 9])),
      o.matmul(sample(d, [2, 3, 7, 6]), sample(d, [6, 9])),
      o.matmul(o.transpose(sample(d, [5, 2, 7]), [1, 0, 2]), sample(d, [2, 7, 6])),
    ],
    tolerance: products(7),
  },
  {
    name: "matmul: slices that start anywhere, steps, flipped rows",
    build: (d) => {
      const x = sample(d, [10, 20]);
      return [
        o.matmul(
          o.slice(x, [
            [3, 9],
            [1, 18],
          ]),
          sample(d, [17, 5]),
        ),
        o.matmul(o.flip(x, [0, 1]), sample(d, [20, 5])),
        o.matmul(
          o.slice(
            o.cast(x, "bf16"),
            [
              [1, 10],
              [1, 20],
            ],
            [2, 3],
          ),
          sample(d, [7, 8]),
        ),
      ];
    },
    tolerance: products(20),
    nonsmooth: "one factor is rounded to bf16",
  },
  {
    name: "matmul: over nothing is zero, of nothing is empty",
    build: (d) => [
      o.matmul(sample(d, [3, 0]), sample(d, [0, 5])),
      o.matmul(sample(d, [0, 4]), sample(d, [4, 5])),
      o.matmul(sample(d, [2, 0, 3]), sample(d, [2, 3, 1])),
    ],
    tolerance: EXACT,
    expected: [Array<number>(15).fill(0), [], []],
  },
  {
    name: "linear: x·Wᵀ + bias",
    build: (d) => [
      o.linear(sample(d, [7, 12]), sample(d, [30, 12], "f32", 2), sample(d, [30], "f32", 3)),
      o.linear(sample(d, [2, 3, 5]), sample(d, [4, 5])),
    ],
    tolerance: products(12),
  },
];
