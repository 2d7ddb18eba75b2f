import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, sample } from "../../case.js";

export const select: readonly ConformanceCase[] = [
  {
    name: "where: computed and stored conditions, broadcast sides",
    build: (d) => {
      const x = sample(d, [4, 5, 6]);
      return [
        o.where(o.less(sample(d, [4, 5, 6], "f32", 2), 0), x, sample(d, [6], "f32", 3)),
        o.where(sample(d, [5, 1], "bool"), 1.5, x),
        o.where(sample(d, [6], "bool"), sample(d, [6], "i32"), -7),
      ];
    },
    tolerance: EXACT,
  },
  {
    name: "where: the side that is not chosen may be NaN",
    build: (d) => o.where(d.tensor([1, 0], { dtype: "bool" }), d.tensor([1, NaN]), d.tensor([Infinity, 2])),
    tolerance: EXACT,
    expected: [[1, 2]],
  },
  { name: "where: nothing", build: (d) => o.where(sample(d, [0, 2], "bool"), sample(d, [0, 2]), 1), tolerance: EXACT },
];
