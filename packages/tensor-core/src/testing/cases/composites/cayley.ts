import { cayley as call, cayleyNeumann as series, inverse as invert } from "../../../composites/cayley.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { cast } from "../../../ops/cast.js";
import { iota } from "../../../ops/create.js";
import { add, equal, mul, sub } from "../../../ops/elementwise.js";
import { swapLast } from "../../../ops/movement.js";
import { type ConformanceCase, products, sample, ulp } from "../../case.js";

/** Skew-symmetric blocks made of any, with entries of size about 1/√b. */
function skew(d: Device, n: number, b: number, dtype: DType = "f32"): Tensor {
  const m = sample(d, [n, b, b], dtype);
  return mul(sub(m, swapLast(m)), 0.5 / Math.sqrt(b));
}

/** 1 + skew + small, whose symmetric part is positive definite. */
function definite(d: Device, n: number, b: number): Tensor {
  const eye = cast(equal(iota([b, b], 0), iota([b, b], 1)), "f32");
  return add(add(eye, skew(d, n, b)), mul(sample(d, [n, b, b], "f32", 3), 0.1 / b));
}

export const cayley: readonly ConformanceCase[] = [
  ...(
    [
      [1, 1],
      [7, 2],
      [3, 3],
      [2, 8],
      [2, 16],
      [1, 33],
    ] as const
  ).map(([n, b]): ConformanceCase => ({
    name: `cayley: ${n} blocks of ${b}`,
    build: (d) => call(skew(d, n, b)),
    tolerance: products(b),
  })),
  {
    name: "cayley: bf16",
    build: (d) => call(skew(d, 2, 5, "bf16")),
    tolerance: { relative: ulp("bf16"), absolute: ulp("bf16"), reason: "one rounding to bf16 may go the other way" },
  },
];

export const inverse: readonly ConformanceCase[] = [
  [3, 2],
  [2, 7],
  [1, 20],
].map(([n, b]) => ({
  name: `inverse: ${n} blocks of ${b}`,
  build: (d) => invert(definite(d, n!, b!)),
  tolerance: products(b!),
}));

export const cayleyNeumann: readonly ConformanceCase[] = [1, 2, 3, 5].map((terms) => ({
  name: `cayleyNeumann: ${terms} terms`,
  build: (d) => series(skew(d, 2, 6), terms),
  tolerance: products(6),
}));
