import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, FUNCTION, positive, rounded, sample } from "../../case.js";

const ANY = { neg: o.neg, abs: o.abs, sign: o.sign, exp: o.exp, sin: o.sin, cos: o.cos, tanh: o.tanh, erf: o.erf };
const STEPS = { floor: o.floor, ceil: o.ceil, round: o.round };
const POSITIVE = { log: o.log, sqrt: o.sqrt, rsqrt: o.rsqrt, reciprocal: o.reciprocal };
const EDGES = [Infinity, -Infinity, NaN, 0, -0, 1, -1, 88.5, -87, 100, -200, 1e-30, 3e38];

const functions = (table: Record<string, (x: Tensor) => Tensor>, make: typeof sample): ConformanceCase[] =>
  Object.entries(table).map(([name, f]) => ({
    name: `${name}: odd length`,
    build: (d) => f(o.mul(make(d, [65]), 3)),
    tolerance: FUNCTION,
  }));

export const unary: readonly ConformanceCase[] = [
  ...functions(ANY, sample),
  ...functions(STEPS, sample),
  ...functions(POSITIVE, positive),
  {
    name: "unary functions of views: transposed, sliced with a step, flipped, broadcast",
    build: (d) => {
      const x = sample(d, [7, 13]);
      const part = o.slice(
        x,
        [
          [1, 6],
          [2, 11],
        ],
        [2, 3],
      );
      return [o.exp(o.transpose(part)), o.abs(o.flip(x, [0, 1])), o.tanh(o.broadcastTo(sample(d, [7, 1]), [2, 7, 3]))];
    },
    tolerance: FUNCTION,
  },
  {
    name: "unary functions of nothing",
    build: (d) => [o.exp(sample(d, [0, 3])), o.logicalNot(sample(d, [0], "bool"))],
    tolerance: EXACT,
  },
  {
    name: "round: ties to even",
    build: (d) => o.round(d.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 8388607.5, 0.49999997])),
    tolerance: EXACT,
    expected: [[0, 2, 2, 0, -2, 8388608, 0]],
  },
  {
    name: "sin, cos: far from zero",
    build: (d) =>
      [317.7, 31_415.93].flatMap((step) =>
        [o.sin, o.cos].map((f) => f(d.tensor(Float32Array.from({ length: 64 }, (_, i) => (i - 32) * step)))),
      ),
    tolerance: { relative: 0, absolute: 2e-7, reason: "the argument is reduced in parts, in f32: a few last places of 1, up to 2^20" },
  },
  {
    name: "unary functions at infinities, NaN and the ends of the range",
    build: (d) => {
      const x = d.tensor(EDGES);
      return [o.exp(x), o.log(x), o.tanh(x), o.erf(x), o.abs(x), o.sqrt(o.abs(x))];
    },
    tolerance: { ...FUNCTION, absolute: 1e-37, reason: "some backends flush subnormal results to zero" },
    noGradient: "0 · ∞ occurs on the way",
  },
  {
    name: "neg, abs, sign of integers",
    build: (d) => (["i32", "i8"] as const).flatMap((t) => [o.neg, o.abs, o.sign].map((f) => f(sample(d, [33], t)))),
    tolerance: EXACT,
  },
  {
    name: "not: of bool, of numbers",
    build: (d) => [o.logicalNot(sample(d, [13], "bool")), o.logicalNot(sample(d, [13])), o.logicalNot(sample(d, [3, 5], "i32"))],
    tolerance: EXACT,
  },
  ...(["bf16", "f16", "f8e4m3", "f8e5m2"] as const).map((dtype: DType) => ({
    name: `unary functions of ${dtype}`,
    build: (d: Parameters<ConformanceCase["build"]>[0]) => [o.exp(sample(d, [7, 9], dtype)), o.sqrt(positive(d, [65], dtype))],
    tolerance: rounded(dtype),
  })),
];
