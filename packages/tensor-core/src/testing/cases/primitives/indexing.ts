import * as o from "../../../ops/index.js";
import { CHAIN, type ConformanceCase, EXACT, rounded, sample } from "../../case.js";

const IDS = Int32Array.of(3, 0, 6, 6, 1, 2);

export const indexing: readonly ConformanceCase[] = [
  ...(["f32", "bf16", "u8", "i32"] as const).map((dtype): ConformanceCase => ({
    name: `gather: ${dtype} along any axis`,
    build: (d) => {
      const ids = d.tensor(IDS, { shape: [2, 3] });
      return [
        o.gather(sample(d, [7, 5], dtype), ids),
        o.gather(sample(d, [4, 7, 3], dtype), ids, 1),
        o.gather(sample(d, [3, 7], dtype), ids, 1),
        o.embedding(sample(d, [7, 4], dtype), o.cast(ids, "u8")),
      ];
    },
    tolerance: EXACT,
  })),
  {
    name: "gather: from views, no indices",
    build: (d) => [
      o.gather(o.transpose(sample(d, [5, 7])), d.tensor(IDS)),
      o.gather(o.slice(sample(d, [9, 4]), [[1, 8]]), o.slice(d.tensor(IDS), [[1, 6]], [2])),
      o.gather(sample(d, [3, 2]), d.tensor(new Int32Array(0))),
    ],
    tolerance: EXACT,
  },
  ...(["f32", "bf16", "i32"] as const).map((dtype): ConformanceCase => ({
    name: `scatterAdd: ${dtype}, repeated indices along any axis`,
    build: (d) => {
      const ids = d.tensor(Int32Array.of(3, 0, 3, 6, 3, 0));
      return [
        o.scatterAdd(sample(d, [7, 5], dtype), ids, sample(d, [6, 5], dtype, 2)),
        o.scatterAdd(sample(d, [2, 7, 3], dtype), ids, sample(d, [2, 6, 3], dtype, 2), 1),
        o.scatterAdd(sample(d, [4, 7], dtype), ids, sample(d, [4, 6], dtype, 2), 1),
      ];
    },
    tolerance: dtype === "i32" ? EXACT : dtype === "f32" ? CHAIN : rounded(dtype),
  })),
  {
    name: "scatterAdd: nothing to add",
    build: (d) => o.scatterAdd(sample(d, [3, 2]), d.tensor(new Int32Array(0)), sample(d, [0, 2])),
    tolerance: EXACT,
  },
];
