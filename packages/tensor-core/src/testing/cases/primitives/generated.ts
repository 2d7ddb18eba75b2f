import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, FUNCTION } from "../../case.js";

/** What has no tensors behind it: constants, positions, random bits. */
export const generated: readonly ConformanceCase[] = [
  {
    name: "full: every dtype, scalars, nothing",
    build: () => [
      ...(["f32", "bf16", "f16", "i32", "u8", "bool"] as const).map((dtype) => o.full([3, 5], 1, dtype)),
      o.full([], -2.5),
      o.full([0, 3], 1),
    ],
    tolerance: EXACT,
  },
  {
    name: "iota: along each axis, in expressions and views",
    build: () => [
      o.iota([4, 5, 6], 1),
      o.add(o.iota([4, 5], 0), o.iota([4, 5], 1)),
      o.flip(o.arange(9), [0]),
      o.transpose(o.iota([3, 4], 1)),
    ],
    tolerance: EXACT,
  },
  ...[1, 2, 7, 128].map((n): ConformanceCase => ({
    name: `random: the bits of Threefry, ${n} of them`,
    build: () => [o.randomBits(o.randomKey(42), [n]), o.randomBits(o.randomKey(2 ** 40 + 3), [3, n])],
    tolerance: EXACT,
  })),
  {
    name: "random: uniform and Bernoulli numbers, keys out of a key",
    build: () => [o.uniform(o.randomKey(7), [33]), o.bernoulli(o.randomKey(7), 0.3, [33]), ...o.splitKey(o.randomKey(7), 3)],
    tolerance: EXACT,
  },
  {
    name: "random: normal numbers",
    build: () => o.normal(o.randomKey(7), [5, 7]),
    tolerance: { ...FUNCTION, relative: 1e-5, absolute: 1e-6 },
  },
];
