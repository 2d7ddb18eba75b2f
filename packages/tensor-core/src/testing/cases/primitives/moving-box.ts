import type { DType } from "../../../dtype.js";
import type { Device } from "../../../device.js";
import type { Tensor } from "../../../graph.js";
import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, sample } from "../../case.js";

const DTYPES: readonly DType[] = ["f32", "bf16", "f8e5m2", "i32", "u8", "bool"];
const at = (d: Device, ...starts: number[]): Tensor => d.tensor(Int32Array.from(starts));

export const movingBox: readonly ConformanceCase[] = [
  ...DTYPES.map((dtype): ConformanceCase => ({
    name: `dynamicSlice: ${dtype} along some axes and all`,
    build: (d) => {
      const x = sample(d, [5, 7, 9], dtype);
      return [
        o.dynamicSlice(x, at(d, 2, 1, 5), [2, 3, 3]),
        o.dynamicSlice(x, d.tensor(4, { dtype: "i32" }), [2], [1]),
        o.dynamicSlice(x, at(d, 6, 1), [3, 1], [-1, 0]),
      ];
    },
    tolerance: EXACT,
  })),
  ...DTYPES.map((dtype): ConformanceCase => ({
    name: `update: ${dtype} along some axes and all`,
    build: (d) => {
      const x = sample(d, [5, 7, 9], dtype);
      return [
        o.update(x, sample(d, [2, 3, 3], dtype, 2), at(d, 2, 1, 5)),
        o.update(x, sample(d, [5, 2, 9], dtype, 2), d.tensor(4, { dtype: "i32" }), [1]),
        o.update(x, sample(d, [1, 7, 3], dtype, 2), at(d, 5, 1), [-1, 0]),
      ];
    },
    tolerance: EXACT,
  })),
  {
    name: "dynamicSlice: a box that would leave the tensor is moved inside",
    build: (d) => {
      const x = d.tensor([1, 2, 3, 4, 5]);
      return [-3, -(2 ** 31), 4, 2 ** 31 - 1].map((start) => o.dynamicSlice(x, at(d, start), [2]));
    },
    tolerance: EXACT,
    expected: [
      [1, 2],
      [1, 2],
      [4, 5],
      [4, 5],
    ],
  },
  {
    name: "update: a box that would leave the tensor is moved inside",
    build: (d) => [-1, 9].map((start) => o.update(d.tensor([1, 2, 3, 4, 5]), d.tensor([8, 9]), at(d, start))),
    tolerance: EXACT,
    expected: [
      [8, 9, 3, 4, 5],
      [1, 2, 3, 8, 9],
    ],
  },
  {
    name: "dynamicSlice: of views, by computed starts, nothing, everything",
    build: (d) => {
      const x = o.transpose(sample(d, [6, 4, 5]), [2, 0, 1]);
      const start = o.add(at(d, 1), 2);
      return [
        o.dynamicSlice(x, start, [2], [1]),
        o.dynamicSlice(o.flip(x, [0]), o.slice(at(d, 1, 7, 3), [[0, 3]], [2]), [3, 1], [0, 1]),
        o.dynamicSlice(o.broadcastTo(sample(d, [1, 4]), [3, 4]), at(d, 1), [2], [1]),
        o.dynamicSlice(x, at(d, 9), [0], [0]),
        o.dynamicSlice(x, at(d, 9, 9, 9), [5, 6, 4]),
        o.dynamicSlice(x, at(d), [], []),
        o.sum(o.dynamicSlice(x, start, [2], [1]), { axes: [0] }),
      ];
    },
    tolerance: { relative: 1e-6, absolute: 1e-6, reason: "one of them is a sum of 5" },
  },
  {
    name: "update: of and with views, one after the other, nothing",
    build: (d) => {
      const x = o.transpose(sample(d, [6, 4]));
      const chain = [0, 2, 5].reduce((base, k) => o.update(base, sample(d, [4, 1], "f32", k + 2), o.add(at(d, k), 0), [1]), o.mul(x, 2));
      return [
        o.update(x, o.flip(sample(d, [2, 6]), [1]), at(d, 1), [0]),
        o.update(sample(d, [3, 4]), o.broadcastTo(sample(d, [1, 2]), [3, 2]), at(d, 1), [1]),
        o.update(x, sample(d, [0, 6]), at(d, 1), [0]),
        chain,
        o.slice(chain, [[1, 3]]),
        o.dynamicSlice(chain, at(d, 3), [2], [1]),
      ];
    },
    tolerance: EXACT,
  },
  {
    name: "update: the base is read by others, too",
    build: (d) => {
      const base = o.mul(sample(d, [4, 5]), 3);
      const next = o.update(base, sample(d, [1, 5], "f32", 2), at(d, 2), [0]);
      return [o.sum(base), next, o.update(next, o.dynamicSlice(next, at(d, 0), [1], [0]), at(d, 3), [0])];
    },
    tolerance: { relative: 1e-6, absolute: 1e-5, reason: "one of them is a sum of 20" },
  },
];
