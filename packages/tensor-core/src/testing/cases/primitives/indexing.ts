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
  ...(["f32", "bf16", "f16", "f8e4m3", "i32", "u8", "i8", "bool"] as const).map((dtype): ConformanceCase => ({
    name: `lookup: ${dtype}, by numbers that are given or computed`,
    build: (d) => {
      const table = sample(d, [70], dtype);
      const [row, column] = [o.iota([5, 14], 0), o.iota([5, 14], 1)];
      const at = o.add(o.mul(row, 14), column);
      return [
        o.lookup(table, d.tensor(Int32Array.of(69, 0, 3, 3, 2, 1, 69), { shape: [7, 1] })),
        o.lookup(table, at),
        o.lookup(table, o.shiftRight(at, 1)),
        o.lookup(table, o.shiftRight(column, 2)),
        o.lookup(table, o.add(o.shiftLeft(o.bitAnd(column, 3), 4), row)),
        o.lookup(table, o.sub(69, at)),
        o.lookup(o.slice(table, [[1, 70]], [3]), o.shiftRight(at, 2)),
        o.lookup(table, o.cast(o.lookup(d.tensor(Int32Array.of(4, 2, 0, 1)), o.bitAnd(at, 3)), "u8")),
      ];
    },
    tolerance: EXACT,
  })),
  {
    name: "lookup: of what is computed before, over a row, in place of its table",
    build: (d) => {
      const x = o.exp(sample(d, [12]));
      const index = d.tensor(Int32Array.from({ length: 12 }, (_, i) => (i * 5) % 12));
      return [
        o.add(o.lookup(x, index), x),
        o.lookup(o.mul(x, 2), index),
        o.sum(o.mul(o.lookup(x, o.bitAnd(o.iota([3, 40], 1), 7)), sample(d, [3, 40])), { axes: [1] }),
      ];
    },
    tolerance: CHAIN,
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
  ...(["f32", "bf16", "i32", "u8"] as const).map((dtype): ConformanceCase => ({
    name: `gather: ${dtype}, 0 for an index outside the axis`,
    build: (d) => {
      const table = d.tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3], dtype });
      return [
        o.gather(table, d.tensor(Int32Array.of(1, 2, -1, 2 ** 31 - 1, -(2 ** 31)))),
        o.gather(table, d.tensor([3, 2, -1], { dtype: "i8" }), 1),
      ];
    },
    tolerance: EXACT,
    expected: [
      [4, 5, 6, ...Array<number>(12).fill(0)],
      [0, 3, 0, 0, 6, 0],
    ],
  })),
  ...(["f32", "bf16", "i32"] as const).map((dtype): ConformanceCase => ({
    name: `scatterAdd: ${dtype}, updates whose index lies outside the axis are left out`,
    build: (d) => {
      const [base, updates] = [
        d.tensor([1, 2, 3, 4], { shape: [2, 2], dtype }),
        d.tensor([1, 1, 10, 10, 20, 20, 40, 40], { shape: [4, 2], dtype }),
      ];
      return [
        o.scatterAdd(base, d.tensor(Int32Array.of(2, 1, -1, 1)), updates),
        o.scatterAdd(base, d.tensor(Int32Array.of(2 ** 31 - 1, 0, -(2 ** 31), -2)), updates),
      ];
    },
    tolerance: EXACT,
    expected: [
      [1, 2, 53, 54],
      [11, 12, 3, 4],
    ],
  })),
  {
    name: "scatterAdd: nothing to add",
    build: (d) => o.scatterAdd(sample(d, [3, 2]), d.tensor(new Int32Array(0)), sample(d, [0, 2])),
    tolerance: EXACT,
  },
];
