import { rmsNorm as call } from "../../../composites/norm.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

export const rmsNorm: readonly ConformanceCase[] = [
  ...(
    [
      [5, 6],
      [3, 64],
      [2, 3, 257],
      [0, 4],
    ] as const
  ).map((shape): ConformanceCase => ({
    name: `rmsNorm: [${shape}]`,
    build: (d) => call(sample(d, shape), sample(d, shape.slice(-1), "f32", 2), 1e-5),
    tolerance: CHAIN,
  })),
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `rmsNorm: ${dtype} rows of odd and even length`,
    build: (d) => [7, 130].map((n) => call(sample(d, [5, n], dtype), sample(d, [n], dtype, 2), 1e-5)),
    tolerance: {
      ...rounded(dtype),
      relative: 2 * rounded(dtype).relative,
      reason: `the normalised row and the product may round the other way in ${dtype}`,
    },
  })),
];
