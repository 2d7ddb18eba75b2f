import { topK as call } from "../../../composites/top-k.js";
import type { Device } from "../../../device.js";
import type { Tensor } from "../../../graph.js";
import { abs } from "../../../ops/elementwise.js";
import { type ConformanceCase, EXACT, sample } from "../../case.js";

const both = (x: Tensor, k: number): Tensor[] => Object.values(call(x, k));
const sizes: readonly (readonly [readonly number[], number])[] = [
  [[1], 1],
  [[5], 5],
  [[2, 3, 300], 4],
  [[0, 4], 2],
  [[2, 500], 77],
];

export const topK: readonly ConformanceCase[] = [
  ...sizes.map(([shape, k]): ConformanceCase => ({
    name: `topK: ${k} of [${shape}]`,
    build: (d) => both(sample(d, shape), k),
    tolerance: EXACT,
  })),
  ...(["bf16", "f16", "f8e4m3", "i32", "i8", "u8", "bool"] as const).map((dtype): ConformanceCase => ({
    name: `topK: ${dtype}, in which many are equal`,
    build: (d) => both(abs(sample(d, [3, 70], dtype)), 5),
    tolerance: EXACT,
    nonsmooth: "which element is taken changes in steps",
  })),
  {
    name: "topK: rows that rise, fall, and go to the ends of i32",
    build: (d: Device) => [
      ...both(
        d.tensor(
          Float32Array.from({ length: 202 }, (_, i) => (i < 101 ? i : -i)),
          { shape: [2, 101] },
        ),
        9,
      ),
      ...both(d.tensor([-(2 ** 31), 2 ** 31 - 1, 16777217, 16777216, -(2 ** 31)], { dtype: "i32" }), 4),
    ],
    tolerance: EXACT,
  },
  {
    name: "topK: as torch",
    build: (d: Device) =>
      both(
        d.tensor([
          [3, -1, 7, 2, 5],
          [0.5, -4, -2, 8, 1],
        ]),
        3,
      ),
    tolerance: EXACT,
    // torch 2.13: topk(x, 3)
    expected: [
      [7, 5, 3, 8, 1, 0.5],
      [2, 4, 0, 3, 4, 0],
    ],
  },
  {
    name: "topK: the lower index first, NaN as ∞, -∞ last",
    build: (d: Device) =>
      both(
        d.tensor([
          [-Infinity, 2, 2, -Infinity, 2],
          [1, NaN, Infinity, NaN, -1],
        ]),
        5,
      ),
    tolerance: EXACT,
    expected: [
      [2, 2, 2, -Infinity, -Infinity, NaN, Infinity, NaN, 1, -1],
      [1, 2, 4, 0, 3, 1, 2, 3, 0, 4],
    ],
    nonsmooth: "which element is taken changes in steps",
  },
];
