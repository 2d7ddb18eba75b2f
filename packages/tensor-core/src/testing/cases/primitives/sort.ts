import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, sample } from "../../case.js";

export const sort: readonly ConformanceCase[] = [
  ...(["f32", "f16", "bf16", "f8e4m3", "i32", "i8", "u8", "bool"] as const).map((dtype): ConformanceCase => ({
    name: `sort: ${dtype}, both ways, with equal elements`,
    build: (d) =>
      [o.sort(sample(d, [3, 20], dtype)), o.sort(sample(d, [2, 20, 2], dtype), 1, { descending: true })].flatMap(({ values, indices }) => [
        values,
        indices,
      ]),
    tolerance: EXACT,
    nonsmooth: "there are ties",
  })),
  {
    name: "sort: of a view",
    build: (d) => Object.values(o.sort(o.transpose(sample(d, [9, 5])), 0)),
    tolerance: EXACT,
    nonsmooth: "there are ties",
  },
  ...[1, 2, 48, 49, 300].map((n): ConformanceCase => ({
    name: `sort: lines of ${n}`,
    build: (d) => Object.values(o.sort(sample(d, [2, n]))),
    tolerance: EXACT,
    nonsmooth: "there are ties",
  })),
  {
    name: "sort: NaN counts as the largest, zeros are equal, equal elements stay in order",
    build: (d) => {
      const x = d.tensor([2, NaN, -0, Infinity, 0, -Infinity, NaN, 2, -1]);
      const ascending = o.sort(x);
      const descending = o.sort(x, 0, { descending: true });
      return [
        ascending.values,
        ascending.indices,
        descending.values,
        descending.indices,
        o.argsort(d.tensor(Int32Array.of(2 ** 31 - 1, -(2 ** 31), 0))),
      ];
    },
    tolerance: EXACT,
    // torch.sort(x, stable=True)
    expected: [
      [-Infinity, -1, -0, 0, 2, 2, Infinity, NaN, NaN],
      [5, 8, 2, 4, 0, 7, 3, 1, 6],
      [NaN, NaN, Infinity, 2, 2, -0, 0, -1, -Infinity],
      [1, 6, 3, 0, 7, 2, 4, 8, 5],
      [1, 2, 0],
    ],
    noGradient: "NaN is among the numbers",
  },
  { name: "sort: nothing", build: (d) => [...Object.values(o.sort(sample(d, [0, 3]), 0)), o.argsort(sample(d, [3, 0]))], tolerance: EXACT },
];
