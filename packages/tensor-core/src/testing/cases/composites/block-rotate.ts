import { blockRotate as call, butterfly as permute } from "../../../composites/block-rotation.js";
import { type ConformanceCase, EXACT, products, sample, ulp } from "../../case.js";

export const blockRotate: readonly ConformanceCase[] = [
  ...(
    [
      [3, 4, 3, 35],
      [5, 7, 5, 3],
      [2, 33, 2, 6],
      [6, 2, 6, 40],
      [4, 8, 1, 9],
    ] as const
  ).map(([n, b, given, rows]): ConformanceCase => ({
    name: `blockRotate: ${rows} rows, ${n} blocks of ${b}, ${given} given`,
    build: (d) => call(sample(d, [rows, n * b]), sample(d, [given, b, b], "f32", 2)),
    tolerance: products(b),
  })),
  {
    name: "blockRotate: leading axes, one row, no rows",
    build: (d) => {
      const r = sample(d, [2, 6, 6], "f32", 2);
      return [call(sample(d, [2, 3, 12]), r), call(sample(d, [12]), r), call(sample(d, [0, 12]), r)];
    },
    tolerance: products(6),
  },
  ...(["bf16", "f16"] as const).flatMap((dtype): ConformanceCase[] =>
    [8, 5].map((b) => ({
      name: `blockRotate: ${dtype}, blocks of ${b}`,
      build: (d) => call(sample(d, [9, 3 * b], dtype), sample(d, [3, b, b], dtype, 2)),
      tolerance: { relative: ulp(dtype), absolute: ulp(dtype), reason: `one rounding to ${dtype} may go the other way` },
    })),
  ),
];

export const butterfly: readonly ConformanceCase[] = [
  {
    name: "butterfly: stages and their inverses",
    build: (d) =>
      [0, 1, 2].flatMap((stage) =>
        [false, true].map((inverse) => permute(sample(d, [3, 16], "f32", stage + 1), { blockSize: 4, stage, inverse })),
      ),
    tolerance: EXACT,
  },
];
