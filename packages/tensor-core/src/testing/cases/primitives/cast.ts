import { bytesPerElement, type DType, DTYPES } from "../../../dtype.js";
import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, sample, type Tolerance } from "../../case.js";

const FLOATS = ["f16", "bf16", "f8e4m3", "f8e5m2"] as const;
const FLUSHED: Tolerance = { relative: 0, absolute: 1.2e-38, reason: "some backends flush f32 subnormals to zero; all else is exact" };

/** Each bit pattern of a dtype once. */
function patterns(dtype: DType): Uint8Array {
  const count = 256 ** bytesPerElement(dtype);
  const all = Uint16Array.from({ length: count }, (_, i) => i);
  return bytesPerElement(dtype) === 2 ? new Uint8Array(all.buffer) : Uint8Array.from(all);
}

const each = FLOATS.map((dtype): ConformanceCase => ({
  name: `cast: every ${dtype} to f32, and numbers between back to it`,
  build: (d) => {
    const bits = patterns(dtype);
    const all = d.fromBytes(bits, [bits.length / bytesPerElement(dtype)], dtype);
    const near = o.mul(o.cast(all, "f32"), 1.0009765);
    return [o.cast(all, "f32"), o.cast(near, dtype), o.cast(o.mul(near, 0.93), dtype)];
  },
  tolerance: FLUSHED,
  noGradient: "NaN and infinities are among the numbers",
}));

const TO = ["f32", "f16", "bf16", "f8e5m2", "i32", "i8", "u8", "bool"] as const;
const between = (["f32", "bf16", "i32", "i8", "u8", "bool"] as const).map((from): ConformanceCase => ({
  name: `cast: ${from} to other dtypes`,
  build: (d) => (from === "f32" ? TO : (["f32", "f16", "i32", "u8"] as const)).map((to) => o.cast(sample(d, [7, 5], from), to)),
  tolerance: EXACT,
  nonsmooth: "rounding has steps",
}));

/** What conversions must decide on: beyond every range, both infinities and NaN, halves, signs of zero, limits. */
const EDGES = [3e9, -3e9, Infinity, -Infinity, NaN, 300, -1.5, 2147483520, 255.9, -129, 0, -0, 0.4, 127, 128, 70000, -32769];
const edges = DTYPES.map((from): ConformanceCase => ({
  name: `cast: edges of ${from} to every dtype`,
  build: (d) => {
    const x = d.tensor(Float64Array.from(EDGES), { dtype: from });
    return [...DTYPES.map((to) => o.cast(x, to)), ...DTYPES.map((to) => o.cast(o.add(x, 1), to))];
  },
  tolerance: EXACT,
  noGradient: "NaN and infinities are among the numbers",
}));

export const cast: readonly ConformanceCase[] = [
  ...each,
  ...between,
  ...edges,
  {
    name: "cast: floats that integers do not hold, and integers that narrower ones do not, computed and folded",
    build: (d) => {
      const floats = [3e9, -3e9, Infinity, -Infinity, NaN, 300, -1.5, 2147483520, -129];
      const integers = Int32Array.of(300, -1, 70000, -129, -(2 ** 31));
      return (["i32", "u8", "i8"] as const).flatMap((to) => [
        o.cast(d.tensor(floats), to),
        o.stack(floats.map((v) => o.cast(o.full([], v), to))),
        o.cast(d.tensor(integers), to),
      ]);
    },
    tolerance: EXACT,
    expected: [
      ...Array<number[]>(2).fill([2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 1, -(2 ** 31), 0, 300, -1, 2147483520, -129]),
      [300, -1, 70000, -129, -(2 ** 31)],
      ...Array<number[]>(2).fill([255, 0, 255, 0, 0, 44, 255, 128, 127]),
      [44, 255, 112, 127, 0],
      ...Array<number[]>(2).fill([-1, 0, -1, 0, 0, 44, -1, -128, 127]),
      [44, -1, 112, 127, 0],
    ],
    noGradient: "NaN and infinities are among the numbers",
  },
  {
    name: "cast: NaN and infinities to bool are true",
    build: (d) => o.cast(d.tensor([NaN, Infinity, 0, -0, 1e-30]), "bool"),
    tolerance: EXACT,
    expected: [[1, 1, 0, 0, 1]],
  },
  {
    name: "cast: ties to even, overflow, subnormals",
    build: (d) => {
      const ties = [
        1 + 2 ** -11,
        1 + 3 * 2 ** -11,
        1 + 2 ** -8,
        1 + 3 * 2 ** -8,
        65519,
        65520,
        2 ** -25,
        3 * 2 ** -25,
        464,
        464.1,
        61440,
        61439,
      ];
      return FLOATS.map((dtype) => o.cast(d.tensor(Float32Array.from(ties)), dtype));
    },
    tolerance: EXACT,
    noGradient: "rounding has steps",
  },
  {
    name: "cast: odd tails of packed words",
    build: (d) => [1, 2, 3, 5, 63, 257].flatMap((n) => (["bf16", "i8"] as const).map((dtype) => o.cast(sample(d, [n]), dtype))),
    tolerance: EXACT,
    nonsmooth: "rounding has steps",
  },
  {
    name: "cast: transposed, to and from half precision",
    build: (d) => [o.cast(o.transpose(sample(d, [7, 9], "bf16")), "f32"), o.cast(o.transpose(sample(d, [5, 3, 4])), "f16")],
    tolerance: EXACT,
    nonsmooth: "rounding has steps",
  },
];
