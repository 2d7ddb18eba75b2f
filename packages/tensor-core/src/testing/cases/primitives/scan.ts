import * as o from "../../../ops/index.js";
import { CHAIN, type ConformanceCase, EXACT, rounded, sample } from "../../case.js";

const LENGTHS = [1, 5, 64, 65, 200];

export const scan: readonly ConformanceCase[] = [
  ...LENGTHS.map((n): ConformanceCase => ({
    name: `cumsum: lines of ${n}, from both ends`,
    build: (d) => [o.cumsum(sample(d, [3, n])), o.cumsum(sample(d, [n, 3]), 0, true), o.cumsum(o.transpose(sample(d, [n, 2])), 1)],
    tolerance: { ...CHAIN, absolute: n * 2 ** -20, reason: "partial sums in another order" },
  })),
  ...LENGTHS.map((n): ConformanceCase => ({
    name: `cummax: lines of ${n}, from both ends`,
    build: (d) => [o.cummax(sample(d, [3, n])), o.cummax(sample(d, [n, 3]), 0, true), o.cummax(sample(d, [2, n, 2], "bf16"), 1)],
    tolerance: { relative: 0, absolute: 0, reason: "chooses among the elements; gradients are sums" },
    nonsmooth: "there are ties",
  })),
  ...LENGTHS.map((n): ConformanceCase => ({
    name: `linearScan: lines of ${n}, from both ends`,
    build: (d) => {
      const factors = o.tanh(sample(d, [3, n], "f32", 2));
      return [
        o.linearScan(factors, sample(d, [3, n])),
        o.linearScan(o.transpose(factors), sample(d, [n, 3]), 0, true),
        o.linearScan(o.reshape(factors, [3, n, 1]), sample(d, [3, n, 1]), 1),
      ];
    },
    tolerance: { relative: 1e-5, absolute: 1e-5, reason: "products with factors below 1, joined in another order" },
  })),
  {
    name: "cumsum: integers, middle axes, nothing",
    build: (d) => [
      o.cumsum(sample(d, [2, 65, 2], "i32"), 1),
      o.cumsum(sample(d, [3, 7], "i32"), 1, true),
      o.cumsum(sample(d, [0, 2], "i32"), 0),
      o.cumsum(sample(d, [2, 65], "u8")),
      o.cumsum(sample(d, [600, 3], "i8"), 0),
      o.cumsum(o.mul(sample(d, [5, 300], "i32"), 2 ** 24)),
    ],
    tolerance: EXACT,
  },
  {
    name: "cummax: integers, NaN, infinities",
    build: (d) => [
      o.cummax(sample(d, [2, 65], "i32")),
      o.cummax(sample(d, [70], "u8"), 0, true),
      o.cummax(d.tensor([1, 3, NaN, 5, Infinity])),
      o.cummax(d.tensor([-Infinity, -2, -3, 0])),
    ],
    tolerance: EXACT,
    noGradient: "NaN is among the numbers",
  },
  {
    name: "cummax and linearScan: known values, the gradient of equal maxima goes to the latest",
    build: (d) => {
      const x = d.tensor([1, 3, 3, 2, 4]);
      return [
        o.cummax(x),
        o.cummax(x, 0, true),
        o.linearScan(d.tensor([Infinity, 2, 0.5, 0]), d.tensor([1, 1, 1, 1])),
        o.linearScan(d.tensor([0, 0.5, 2, 9]), d.tensor([1, 1, 1, 1]), 0, true),
      ];
    },
    tolerance: EXACT,
    expected: [
      [1, 3, 3, 3, 4],
      [4, 4, 4, 4, 4],
      [1, 3, 2.5, 1],
      [1, 2.5, 3, 1],
    ],
    nonsmooth: "there are ties",
    noGradient: "an infinity is among the factors",
  },
  { name: "cumsum: bf16", build: (d) => o.cumsum(sample(d, [3, 7], "bf16")), tolerance: rounded("bf16") },
  {
    name: "scan: a slice beside the lines, columns in blocks",
    build: (d) => [
      o.slice(o.cumsum(sample(d, [4, 9]), 1), [
        [1, 3],
        [2, 5],
      ]),
      o.cummax(sample(d, [3, 1100]), 0),
    ],
    tolerance: { ...CHAIN, reason: "partial sums in another order" },
    nonsmooth: "there are ties",
  },
];
