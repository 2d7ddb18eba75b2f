import { loraBank, multiLora as call } from "../../../composites/multi-lora.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { iota, tensor } from "../../../ops/create.js";
import { equal, logicalAnd, where } from "../../../ops/elementwise.js";
import { type ConformanceCase, products, sample, ulp } from "../../case.js";

/** x [shape, 12] through adapters of these ranks to 10 columns. */
function mixed(d: Device, shape: readonly number[], ranks: readonly number[], index: readonly number[], dtype: DType = "f32"): Tensor {
  const bank = loraBank(
    ranks.map((r, k) => sample(d, [r, 12], dtype, k + 2)),
    ranks.map((r, k) => sample(d, [10, r], dtype, k + 30)),
    ranks.map((_, k) => 0.25 * (k + 1)),
  );
  return call(sample(d, [...shape, 12], dtype), d.tensor(Int32Array.from(index)), bank);
}

/** Three adapters of ranks 3, 1 and 2, of which `spoil` changes the factors, and every row of a batch on another one. */
function spoiled(d: Device, spoil: (t: Tensor, factor: "A" | "B", adapter: number) => Tensor, tokens: readonly number[] = []): Tensor {
  const ranks = [3, 1, 2];
  const bank = loraBank(
    ranks.map((r, k) => spoil(sample(d, [r, 12], "f32", k + 2), "A", k)),
    ranks.map((r, k) => spoil(sample(d, [16, r], "f32", k + 30), "B", k)),
    [0.5, 1, 2],
  );
  return call(sample(d, [5, ...tokens, 12]), d.tensor(Int32Array.of(0, 1, 2, -1, 1)), bank);
}

/** One element of a matrix is replaced. */
const at = (t: Tensor, row: number, column: number, value: number): Tensor =>
  where(logicalAnd(equal(iota(t.shape, 0), row), equal(iota(t.shape, 1), column)), tensor(value), t);

export const multiLora: readonly ConformanceCase[] = [
  {
    name: "multiLora: decoding, mixed ranks, rows without adapter",
    build: (d) => mixed(d, [5], [3, 1, 6, 2], [2, -1, 0, 3, 2]),
    tolerance: products(18),
  },
  {
    name: "multiLora: decoding, more adapters than rows",
    build: (d) =>
      mixed(d, [3], [2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 3], [31, 4, 0]),
    tolerance: products(18),
  },
  {
    name: "multiLora: two tokens a row, columns that are no multiple of four",
    build: (d) => mixed(d, [4, 2], [4, 2], [1, -1, 0, 1]),
    tolerance: products(18),
  },
  {
    name: "multiLora: prefill",
    build: (d) => mixed(d, [3, 41], [4, 2], [1, -1, 0]),
    tolerance: products(18),
  },
  {
    name: "multiLora: no row has an adapter",
    build: (d) => mixed(d, [2, 3], [2], [-1, -1]),
    tolerance: products(18),
  },
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `multiLora: ${dtype}`,
    build: (d) => [mixed(d, [4], [3, 2], [1, 0, -1, 1], dtype), mixed(d, [2, 50], [3, 2], [1, 0], dtype)],
    tolerance: {
      relative: 4 * ulp(dtype),
      absolute: 8 * ulp(dtype),
      reason: "the decomposition rounds the low product and its scale; a kernel once",
    },
  })),
  {
    name: "multiLora: infinities and NaN of one adapter reach no row of another",
    build: (d) =>
      [[], [3]].flatMap((tokens) =>
        [0, 1, 2].flatMap((bad) => [
          spoiled(d, (t, factor, k) => (k === bad && factor === "B" ? at(t, 4, 0, Infinity) : t), tokens),
          spoiled(d, (t, factor, k) => (k === bad && factor === "B" ? at(t, 9, 0, NaN) : t), tokens),
          spoiled(d, (t, factor, k) => (k === bad && factor === "A" ? at(t, 0, 5, -Infinity) : t), tokens),
        ]),
      ),
    tolerance: products(18),
    nonsmooth: "infinities",
    noGradient: "infinities",
  },
  {
    name: "multiLora: rows whose index is no adapter get none",
    build: (d) => mixed(d, [4], [3, 2], [1, 2, -7, 2 ** 31 - 1]),
    tolerance: products(18),
  },
];
