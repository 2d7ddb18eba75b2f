import { rope as call } from "../../../composites/rope.js";
import { type ConformanceCase, EXACT, FUNCTION, rounded, sample } from "../../case.js";

export const rope: readonly ConformanceCase[] = [
  {
    name: "rope: own and shared positions",
    build: (d) => [
      call(sample(d, [2, 3, 5, 8]), sample(d, [2, 5, 8], "f32", 2), sample(d, [2, 5, 8], "f32", 3)),
      call(sample(d, [2, 1, 7, 2]), sample(d, [1, 7, 2], "f32", 2), sample(d, [1, 7, 2], "f32", 3)),
    ],
    tolerance: { ...FUNCTION, reason: "a sum of two products, fused or not" },
  },
  {
    name: "rope: bf16, no positions",
    build: (d) => [
      call(sample(d, [1, 2, 3, 6], "bf16"), sample(d, [1, 3, 6], "bf16", 2), sample(d, [1, 3, 6], "bf16", 3)),
      call(sample(d, [1, 2, 0, 6]), sample(d, [1, 0, 6]), sample(d, [1, 0, 6])),
    ],
    tolerance: {
      ...rounded("bf16"),
      relative: 3 * rounded("bf16").relative,
      absolute: 3 * rounded("bf16").relative,
      reason: "three roundings to bf16",
    },
  },
  {
    name: "rope: a quarter turn",
    build: (d) =>
      call(
        d.tensor([1, 2, 3, 4], { shape: [1, 1, 1, 4] }),
        d.tensor([0, 0, 0, 0], { shape: [1, 1, 4] }),
        d.tensor([1, 1, 1, 1], { shape: [1, 1, 4] }),
      ),
    tolerance: EXACT,
    expected: [[-3, -4, 1, 2]],
  },
];
