import { swiglu as call } from "../../../composites/swiglu.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

export const swiglu: readonly ConformanceCase[] = [
  {
    name: "swiglu: large gates of both signs, and none",
    build: (d) => [
      call(sample(d, [3, 65]), sample(d, [3, 65], "f32", 2)),
      call(d.tensor([-100, -20, -1, 0, 1, 20, 100]), d.tensor([1, -2, 3, -4, 5, -6, 7])),
      call(sample(d, [0, 4]), sample(d, [0, 4])),
    ],
    tolerance: CHAIN,
  },
  {
    name: "swiglu: bf16",
    build: (d) => call(sample(d, [4, 33], "bf16"), sample(d, [4, 33], "bf16", 2)),
    tolerance: { ...rounded("bf16"), relative: 4 * rounded("bf16").relative, reason: "roundings to bf16 on the way" },
  },
];
