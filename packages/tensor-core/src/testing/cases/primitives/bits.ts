import type { Device } from "../../../device.js";
import { type DType, isFloat } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, sample } from "../../case.js";

const INTEGERS = ["i32", "i8", "u8"] as const;
/** Pairs of dtypes of one width, and halves with the i32 that stands for 16 bits. */
const PAIRS: readonly (readonly [DType, DType])[] = [
  ["f32", "i32"],
  ["f16", "bf16"],
  ["u8", "i8"],
  ["f8e4m3", "u8"],
  ["f8e5m2", "i8"],
  ["f8e5m2", "f8e4m3"],
  ["f16", "i32"],
  ["bf16", "i32"],
];

/** Values of `from` whose bits are numbers of `to`: of a NaN only that it is one is kept. */
function finite(d: Device, from: DType, to: DType): Tensor {
  const x = sample(d, [7, 9], from);
  if (isFloat(from) || !isFloat(to)) return x;
  const small = o.bitAnd(x, 63);
  return from === "i32" ? o.shiftLeft(o.add(small, 1), to === "f32" ? 24 : 8) : small;
}

const bitwise = INTEGERS.map((dtype): ConformanceCase => ({
  name: `bitwise: ${dtype}, with tensors, broadcast, with constants`,
  build: (d) => {
    const [x, y] = [sample(d, [3, 67], dtype), sample(d, [67], dtype, 2)];
    return [o.bitAnd(x, y), o.bitOr(x, y), o.bitXor(x, y), o.bitAnd(x, 15), o.bitXor(o.bitOr(y, 64), -1)];
  },
  tolerance: EXACT,
}));

const shifts = INTEGERS.map((dtype): ConformanceCase => ({
  name: `shifts: ${dtype}, by tensors, by constants, by more than there is`,
  build: (d) => {
    const x = sample(d, [41, 5], dtype);
    const by = o.sub(o.iota([41, 5]), 4);
    return [
      o.shiftLeft(x, o.cast(by, dtype)),
      o.shiftRight(x, o.cast(by, dtype)),
      ...[0, 1, 7, 31, 32, -1].flatMap((n) => [o.shiftLeft(x, n), o.shiftRight(x, n)]),
      o.bitAnd(o.shiftRight(x, 4), 15),
    ];
  },
  tolerance: EXACT,
}));

const casts = PAIRS.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]).map(([from, to]): ConformanceCase => ({
  name: `bitcast: ${from} as ${to}`,
  build: (d) => {
    const x = finite(d, from, to);
    return [o.bitcast(x, to), o.bitcast(o.transpose(x), to), o.bitcast(o.bitcast(o.slice(x, [[1, 4]]), to), from)];
  },
  tolerance: EXACT,
  noGradient: "bits have no gradient",
}));

export const bits: readonly ConformanceCase[] = [
  ...bitwise,
  ...shifts,
  ...casts,
  {
    name: "bitwise: known values",
    build: (d) => {
      const x = d.tensor(Int32Array.of(0b1100, -1, 0x7fffffff, -(2 ** 31)));
      const y = d.tensor(Int32Array.of(0b1010, 0xff, 1, 1));
      return [
        o.bitAnd(x, y),
        o.bitOr(x, y),
        o.bitXor(x, y),
        o.shiftLeft(x, y),
        o.shiftRight(x, y),
        o.shiftLeft(o.full([], 3, "u8"), 7),
        o.shiftRight(o.full([], -128, "i8"), 3),
      ];
    },
    tolerance: EXACT,
    expected: [
      [8, 255, 1, 0],
      [14, -1, 0x7fffffff, -(2 ** 31) + 1],
      [6, -256, 0x7ffffffe, -(2 ** 31) + 1],
      [12288, 0, -2, 0],
      [0, -1, 0x3fffffff, -(2 ** 30)],
      [128],
      [-16],
    ],
  },
  {
    name: "bitcast: known values",
    build: (d) => [
      o.bitcast(d.tensor([1, -2, 0.15625]), "i32"),
      o.bitcast(d.tensor(Int32Array.of(0x3f800000, -0x40000000)), "f32"),
      o.bitcast(d.tensor([1, -2], { dtype: "f16" }), "i32"),
      o.bitcast(d.tensor(Int32Array.of(0x3c00, 0x12340001, 0xfbff)), "f16"),
      o.bitcast(d.tensor([1, -2], { dtype: "bf16" }), "i32"),
      o.bitcast(d.tensor([255, 128, 127], { dtype: "u8" }), "i8"),
      o.bitcast(o.full([], 1), "i32"),
    ],
    tolerance: EXACT,
    expected: [
      [0x3f800000, -0x40000000, 0x3e200000],
      [1, -2],
      [0x3c00, 0xc000],
      [1, 2 ** -24, -65504],
      [0x3f80, 0xc000],
      [-1, -128, 127],
      [0x3f800000],
    ],
    noGradient: "bits have no gradient",
  },
];
