import type { Device } from "../../../device.js";
import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, FUNCTION, positive, rounded, sample } from "../../case.js";

const ARITHMETIC = { add: o.add, sub: o.sub, mul: o.mul, max: o.maximum, min: o.minimum };
const QUOTIENTS = { div: o.div, mod: o.mod, pow: o.pow };
const COMPARISONS = [o.equal, o.notEqual, o.less, o.lessEqual];

const arithmetic = Object.entries(ARITHMETIC).map(([name, f]): ConformanceCase => ({
  name: `${name}: equal shapes, broadcast rows and columns, transposed`,
  build: (d) => {
    const a = sample(d, [5, 13]);
    return [
      f(a, sample(d, [5, 13], "f32", 2)),
      f(o.transpose(a), sample(d, [13, 1], "f32", 3)),
      f(sample(d, [5], "f32", 4), o.transpose(a)),
    ];
  },
  tolerance: EXACT,
}));

const quotients = Object.entries(QUOTIENTS).map(([name, f]): ConformanceCase => ({
  name: `${name}: equal shapes, broadcast`,
  build: (d) => [
    f(positive(d, [5, 13]), positive(d, [5, 13], "f32", 2)),
    f(positive(d, [3, 1, 7], "f32", 3), positive(d, [4, 1], "f32", 4)),
  ],
  tolerance: { ...FUNCTION, relative: 1e-6, absolute: 1e-7, reason: "division is good to 2.5 last places on a GPU, powers to one" },
}));

/** Numbers that only integers hold exactly: products and sums wrap. */
const large = (d: Device): ReturnType<typeof sample> => o.mul(sample(d, [33], "i32"), 123456789);

export const binary: readonly ConformanceCase[] = [
  ...arithmetic,
  ...quotients,
  {
    name: "comparisons: floats with ties and NaN, integers",
    build: (d) => {
      const [a, b] = [d.tensor([1, 2, NaN, -0, 3, -Infinity]), d.tensor([1, 3, NaN, 0, 2, Infinity])];
      const [p, q] = [sample(d, [5, 13], "i32"), o.sub(sample(d, [13], "i32", 2), 10)];
      return COMPARISONS.flatMap((f) => [f(a, b), f(p, q)]);
    },
    tolerance: EXACT,
  },
  {
    name: "and, or: bool, numbers",
    build: (d) => {
      const [a, b] = [sample(d, [67], "bool"), o.less(sample(d, [67], "f32", 2), 0.4)];
      return [o.logicalAnd(a, b), o.logicalOr(a, b), o.logicalAnd(sample(d, [5], "i32"), sample(d, [5], "f32", 2))];
    },
    tolerance: EXACT,
  },
  {
    name: "max, min: NaN wins, infinities",
    build: (d) => {
      const [a, b] = [d.tensor([NaN, 1, Infinity, -Infinity, 3]), d.tensor([1, NaN, 2, 2, 3])];
      return [o.maximum(a, b), o.minimum(a, b)];
    },
    tolerance: EXACT,
    expected: [
      [NaN, NaN, Infinity, 2, 3],
      [NaN, NaN, 2, -Infinity, 3],
    ],
    noGradient: "that of NaN means nothing",
  },
  {
    name: "pow: signs and limits of the C library",
    build: (d) => o.pow(d.tensor([-2, -2, -2, 0, 0, 0, 1, 0.999, 0.9, -1, 2]), d.tensor([3, 2, 0.5, 0, 2, -1, 1e9, 1, 1000, 7, -3])),
    tolerance: { ...FUNCTION, relative: 3e-6 },
    noGradient: "infinite at zero",
  },
  {
    name: "integer arithmetic: wraps, truncates, takes the divisor's sign",
    build: (d) => {
      const [a, b] = [sample(d, [33], "i32"), o.add(o.mul(o.abs(sample(d, [33], "i32", 2)), -1), -1)];
      const wide = large(d);
      return [o.add(wide, wide), o.mul(wide, b), o.div(a, b), o.mod(a, b), o.maximum(a, b), o.minimum(a, b), o.sub(a, wide), o.pow(b, 3)];
    },
    tolerance: EXACT,
  },
  {
    name: "integer div and mod of all signs",
    build: (d) => {
      const [a, b] = [d.tensor(Int32Array.of(7, -7, 7, -7, 6, -6)), d.tensor(Int32Array.of(2, 2, -2, -2, 3, 3))];
      return [o.div(a, b), o.mod(a, b)];
    },
    tolerance: EXACT,
    // torch.div(…, rounding_mode="trunc"), torch.remainder
    expected: [
      [3, -3, -3, 3, 2, -2],
      [1, 1, -1, -1, 0, 0],
    ],
  },
  {
    name: "arithmetic of bytes wraps",
    build: (d) => (["i8", "u8"] as const).flatMap((t) => [o.add, o.mul].map((f) => f(sample(d, [7], t), sample(d, [7], t, 3)))),
    tolerance: EXACT,
  },
  {
    name: "arithmetic of bool is that of numbers, true where it is not 0; with numbers beyond 0 and 1 it is of i32",
    build: (d) => {
      const [a, b] = [d.tensor([0, 0, 1, 1], { dtype: "bool" }), d.tensor([0, 1, 0, 1], { dtype: "bool" })];
      return [
        ...[o.add, o.sub, o.mul, o.maximum, o.minimum].map((f) => f(a, b)),
        o.neg(a),
        o.cast(o.add(a, b), "f32"),
        o.where(o.add(o.add(a, b), b), 5, 7),
        o.add(a, 2),
      ];
    },
    tolerance: EXACT,
    expected: [
      [0, 1, 1, 1],
      [0, 1, 1, 0],
      [0, 0, 0, 1],
      [0, 1, 1, 1],
      [0, 0, 0, 1],
      [0, 0, 1, 1],
      [0, 1, 1, 1],
      [7, 5, 5, 5],
      [2, 2, 3, 3],
    ],
  },
  {
    name: "arithmetic promotes: bf16 with f16, with f32, integers with floats",
    build: (d) => {
      const x = sample(d, [9, 5], "bf16");
      return [o.add(x, sample(d, [5], "f16", 2)), o.mul(x, sample(d, [9, 1], "f32", 3)), o.add(x, sample(d, [9, 5], "i32", 4))];
    },
    tolerance: rounded("bf16"),
  },
  {
    name: "arithmetic of nothing",
    build: (d) => [o.add(sample(d, [0, 3]), sample(d, [3])), o.mul(sample(d, [2, 0], "i32"), 3)],
    tolerance: EXACT,
  },
];
