import { loraBank, multiLora as call } from "../../../composites/multi-lora.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
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
];
