import * as o from "../../../ops/index.js";
import { CHAIN, type ConformanceCase, EXACT, rounded, sample } from "../../case.js";

export const scan: readonly ConformanceCase[] = [
  ...[1, 5, 64, 65, 200].map((n): ConformanceCase => ({
    name: `cumsum: lines of ${n}, from both ends`,
    build: (d) => [o.cumsum(sample(d, [3, n])), o.cumsum(sample(d, [n, 3]), 0, true), o.cumsum(o.transpose(sample(d, [n, 2])), 1)],
    tolerance: { ...CHAIN, absolute: n * 2 ** -20, reason: "partial sums in another order" },
  })),
  {
    name: "cumsum: integers, middle axes, nothing",
    build: (d) => [
      o.cumsum(sample(d, [2, 65, 2], "i32"), 1),
      o.cumsum(sample(d, [3, 7], "i32"), 1, true),
      o.cumsum(sample(d, [0, 2], "i32"), 0),
    ],
    tolerance: EXACT,
  },
  { name: "cumsum: bf16", build: (d) => o.cumsum(sample(d, [3, 7], "bf16")), tolerance: rounded("bf16") },
];
