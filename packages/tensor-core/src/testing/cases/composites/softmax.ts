import { softmax as call } from "../../../composites/norm.js";
import { transpose } from "../../../ops/movement.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

export const softmax: readonly ConformanceCase[] = [
  ...(
    [
      [5, 6],
      [3, 64],
      [2, 257],
      [2, 3, 1],
      [0, 4],
    ] as const
  ).map((shape): ConformanceCase => ({
    name: `softmax: [${shape}]`,
    build: (d) => call(sample(d, shape)),
    tolerance: CHAIN,
  })),
  { name: "softmax: transposed", build: (d) => call(transpose(sample(d, [33, 5]))), tolerance: CHAIN },
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `softmax: ${dtype}`,
    build: (d) => [call(sample(d, [5, 7], dtype)), call(sample(d, [5, 130], dtype))],
    tolerance: {
      ...rounded(dtype),
      relative: 2 * rounded(dtype).relative,
      reason: `numerator and quotient may round the other way in ${dtype}`,
    },
  })),
  {
    name: "softmax: large scores, -∞, rows of only -∞",
    build: (d) =>
      call(
        d.tensor([
          [1000, 1000, 0],
          [-Infinity, 0, 0],
          [-Infinity, -Infinity, -Infinity],
        ]),
      ),
    tolerance: CHAIN,
    expected: [[0.5, 0.5, 0, 0, 0.5, 0.5, NaN, NaN, NaN]], // torch 2.13
    noGradient: "NaN",
  },
];
