import * as o from "../../../ops/index.js";
import type { Tensor } from "../../../graph.js";
import { CHAIN, type ConformanceCase, EXACT, rounded, sample, type Tolerance } from "../../case.js";

const last = { axes: [-1] };

const LONG_SUM: Tolerance = {
  relative: 1e-6,
  absolute: 0,
  reason: "blocks of up to 32 values and their sums in f32 (each about √32 half-units of 2⁻²⁴), or f64; one long f32 sum is 1e-2 off",
};

const rowsOf = ([rows, length]: readonly [number, number]): ConformanceCase => ({
  name: `reduce: ${rows} rows of ${length}, every way`,
  build: (d) => {
    const x = sample(d, [rows, length]);
    return [o.sum(x, last), o.prod(o.add(o.mul(x, 0.1), 1), last), o.max(x, last), o.min(x, last)];
  },
  tolerance: CHAIN,
});

export const reduce: readonly ConformanceCase[] = [
  ...(
    [
      [1, 1],
      [5, 7],
      [2, 33],
      [3, 64],
      [2, 300],
      [70, 5],
    ] as const
  ).map(rowsOf),
  {
    name: "reduce: leading, middle, two and all axes, kept or not",
    build: (d) => {
      const x = sample(d, [4, 5, 6]);
      return [
        o.max(x, { axes: [0] }),
        o.sum(x, { axes: [1] }),
        o.sum(x, { axes: [0, 2], keepDims: true }),
        o.sum(x),
        o.min(x, { axes: [1, 2] }),
      ];
    },
    tolerance: CHAIN,
  },
  {
    name: "reduce: transposed, sliced and broadcast views",
    build: (d) => {
      const x = sample(d, [9, 14]);
      return [
        o.sum(o.transpose(x), last),
        o.sum(
          o.slice(
            x,
            [
              [1, 8],
              [3, 14],
            ],
            [2, 3],
          ),
          last,
        ),
        o.sum(o.broadcastTo(sample(d, [1, 5], "f32", 2), [4, 5]), { axes: [0] }),
        o.max(o.flip(x, [1]), last),
      ];
    },
    tolerance: CHAIN,
  },
  {
    name: "reduce: integers, bool",
    build: (d) => [
      o.sum(sample(d, [9, 11], "i32"), { axes: [0] }),
      o.max(sample(d, [9, 11], "i8"), last),
      o.min(sample(d, [3, 70], "i32"), last),
      o.prod(o.mod(sample(d, [3, 6], "i32"), 7), last),
      o.sum(sample(d, [4, 9], "bool"), last),
    ],
    tolerance: EXACT,
  },
  ...(["bf16", "f16", "f8e5m2"] as const).map((dtype): ConformanceCase => ({
    name: `reduce: ${dtype} rows of odd and even length`,
    build: (d) => [7, 8, 131].flatMap((n) => [o.sum(sample(d, [5, n], dtype), last), o.max(sample(d, [5, n], dtype), last)]),
    tolerance: rounded(dtype),
  })),
  {
    name: "reduce: sums over leading axes, wide and narrow, of every float",
    build: (d) => {
      const over = { axes: [0] };
      return [
        o.sum(sample(d, [9, 300]), over),
        o.sum(sample(d, [17, 33]), over),
        o.sum(sample(d, [3, 5, 4, 2]), { axes: [0, 1] }),
        o.sum(sample(d, [70, 1]), over),
        o.sum(o.transpose(sample(d, [40, 70])), over),
        o.sum(o.slice(sample(d, [40, 70]), [undefined, [3, 60]]), over),
        ...(["bf16", "f16", "f8e4m3"] as const).map((dtype) => o.cast(o.sum(o.abs(sample(d, [11, 70], dtype)), over), "f32")),
      ];
    },
    tolerance: rounded("f8e4m3"),
  },
  {
    name: "reduce: long columns and long rows of 0.1",
    build: (d) => {
      const x = new Float32Array(2 ** 21).fill(0.1);
      return [o.sum(d.tensor(x, { shape: [2 ** 20, 2] }), { axes: [0] }), o.sum(d.tensor(x, { shape: [2, 2 ** 20] }), last)];
    },
    tolerance: LONG_SUM,
    // 2²⁰ · fround(0.1), exactly.
    expected: [
      [104857.6015625, 104857.6015625],
      [104857.6015625, 104857.6015625],
    ],
    noGradient: "it is one everywhere",
  },
  {
    name: "reduce: long columns and long rows of values of one sign",
    build: (d) => {
      const positive = (shape: readonly number[]): Tensor => o.abs(sample(d, shape));
      return [
        o.sum(positive([70001, 3]), { axes: [0] }),
        o.sum(positive([3000, 70]), { axes: [0] }),
        o.sum(positive([515, 301]), { axes: [0] }),
        o.sum(positive([2, 70001]), last),
        o.sum(positive([600, 33]), last),
        o.sum(positive([2, 33000]), last),
      ];
    },
    tolerance: LONG_SUM,
    noGradient: "it is one everywhere",
  },
  {
    name: "reduce: over nothing gives the neutral element",
    build: (d) => {
      const x = sample(d, [2, 0]);
      return [o.sum(x, last), o.prod(x, last), o.max(x, last), o.min(x, last), o.sum(sample(d, [0, 3]), { axes: [1] })];
    },
    tolerance: EXACT,
    expected: [[0, 0], [1, 1], [-Infinity, -Infinity], [Infinity, Infinity], []],
  },
  {
    name: "reduce: NaN wins",
    build: (d) => {
      const x = d.tensor([
        [1, NaN, 3],
        [4, 5, 6],
        [-Infinity, 2, NaN],
      ]);
      return [o.max(x, last), o.min(x, last)];
    },
    tolerance: EXACT,
    expected: [
      [NaN, 6, NaN],
      [NaN, 4, NaN],
    ],
    noGradient: "that of NaN means nothing",
  },
  {
    name: "reduce: a product with zeros",
    build: (d) =>
      o.prod(
        d.tensor([
          [2, 0, 3],
          [0, 0, 5],
          [1, 2, 3],
        ]),
        last,
      ),
    tolerance: EXACT,
    expected: [[0, 0, 6]],
  },
  {
    name: "argreduce: the first of equals, along any axis",
    build: (d) => {
      const x = d.tensor([
        [1, 3, 3, 0],
        [2, 2, 2, 2],
        [-1, -5, -5, -1],
      ]);
      return [
        o.argmax(x),
        o.argmin(x),
        o.argmax(x, 0),
        o.argmin(sample(d, [200, 3], "i32"), 0),
        o.argmax(sample(d, [2, 9, 5], "bf16"), 1),
        o.argmax(sample(d, [3, 200])),
      ];
    },
    tolerance: EXACT,
  },
  {
    name: "argreduce: integers to the ends of their range",
    build: (d) => {
      const [low, high] = [-(2 ** 31), 2 ** 31 - 1];
      const ends = d.tensor([0, high, low, high, 16777217, 16777216, low, -1], { shape: [2, 4], dtype: "i32" });
      return [
        o.argmax(ends),
        o.argmin(ends),
        o.argmax(d.tensor([low, low, low, low, low], { dtype: "i32" })),
        o.argmin(d.tensor([high, high, high], { dtype: "i32" })),
      ];
    },
    tolerance: EXACT,
    expected: [[1, 0], [2, 2], [0], [0]],
  },
  {
    name: "argreduce: every dtype, along outer, middle and inner axes",
    build: (d) =>
      (["f32", "f16", "i32", "i8", "u8", "bool"] as const).flatMap((dtype) =>
        [0, 1, 2].flatMap((axis) => {
          const x = o.abs(sample(d, [5, 7, 6], dtype));
          return [o.argmax(x, axis), o.argmin(x, axis)];
        }),
      ),
    tolerance: EXACT,
  },
  {
    name: "argreduce: NaN and infinities",
    build: (d) => [
      o.argmax(
        d.tensor([
          [NaN, 3],
          [1, NaN],
          [-Infinity, -Infinity],
        ]),
      ),
      o.argmin(
        d.tensor([
          [NaN, 3],
          [1, NaN],
          [Infinity, Infinity],
        ]),
      ),
    ],
    tolerance: EXACT,
    expected: [
      [0, 1, 0],
      [0, 1, 0],
    ],
  },
];
