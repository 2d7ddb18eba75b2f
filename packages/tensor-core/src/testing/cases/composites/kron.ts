import { kron as call, kronLinear as apply } from "../../../composites/kron.js";
import { type ConformanceCase, products, rounded, sample } from "../../case.js";

export const kron: readonly ConformanceCase[] = [
  {
    name: "kron: matrices, a convolution's kernel, one row",
    build: (d) => [
      call(sample(d, [3, 2]), sample(d, [4, 5], "f32", 2)),
      call(sample(d, [2, 3]), sample(d, [3, 2, 3, 2], "f32", 2)),
      call(sample(d, [1, 4]), sample(d, [1, 9], "f32", 2)),
    ],
    tolerance: products(1),
  },
  {
    name: "kron: bf16 factors",
    build: (d) => call(sample(d, [3, 2], "bf16"), sample(d, [4, 5], "bf16", 2)),
    tolerance: rounded("bf16"),
  },
];

export const kronLinear: readonly ConformanceCase[] = (
  [
    [2, 3, 4, 5],
    [8, 2, 3, 9],
    [1, 6, 33, 1],
  ] as const
).map(([p, q, r, s]) => ({
  name: `kronLinear: [${p}, ${q}] ⊗ [${r}, ${s}], few and many rows`,
  build: (d) => {
    const [a, b] = [sample(d, [p, q], "f32", 2), sample(d, [r, s], "f32", 3)];
    return [apply(sample(d, [2, q * s]), a, b), apply(sample(d, [2, 35, q * s]), a, b)];
  },
  tolerance: products(q + s),
}));
