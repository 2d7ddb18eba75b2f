import {
  argmax,
  argsort,
  cast,
  concat,
  cumsum,
  dynamicSlice,
  embedding,
  pad,
  randomBits,
  scatterAdd,
  sum,
  tensor,
  transpose,
  update,
  zeros,
} from "@weft/tensor-core";
import { BF16, F32, type KernelCase, type Sizes } from "./case.js";

/** Primitives that move, count or draw. */
export function movementCases({ width: d, tokens: m, vocabulary: V }: Sizes): KernelCase[] {
  const ids = tensor(Int32Array.from({ length: m }, (_, i) => (i * 31) % V));
  const moved = (elements: number, bytes = 2 * F32): Pick<KernelCase, "flops" | "bytes"> => ({ flops: 0, bytes: elements * bytes });
  return [
    { name: `cast to bf16, ${d}×${d}`, kernels: [], ...moved(d * d, F32 + BF16), build: (x) => cast(x([d, d]), "bf16") },
    { name: `pad, transposed, ${d}×${d}`, kernels: ["pad"], ...moved(d * d), build: (x) => pad(transpose(x([d, d])), [0, 0], [1, 1]) },
    { name: `concat 2×${m}×${d}`, kernels: ["concat"], ...moved(2 * m * d), build: (x) => concat([x([m, d]), x([m, d], "f32", 2)]) },
    { name: `embedding, ${m} rows of ${d}`, kernels: ["gather"], ...moved(m * d), build: (x) => embedding(x([V, d]), ids) },
    {
      name: `embedding gradient, ${m} rows of ${d}`,
      kernels: ["scatterAdd"],
      flops: m * d,
      bytes: F32 * (m * d + V * d),
      build: (x) => scatterAdd(zeros([V, d]), ids, x([m, d])),
    },
    { name: `sum over rows ${m}×${d}`, kernels: ["reduce"], flops: m * d, bytes: F32 * m * d, build: (x) => sum(x([m, d]), { axes: [0] }) },
    { name: `argsort ${m}×${d}`, kernels: ["argsort"], flops: m * d, bytes: 2 * F32 * m * d, build: (x) => argsort(x([m, d])) },
    {
      name: `slice at a place that is data ${m}×${d}`,
      kernels: ["dynamicSlice"],
      flops: 0,
      bytes: F32 * m * d,
      build: (x) => dynamicSlice(x([m, d]), tensor([1, 0], { dtype: "i32" }), [m >> 1, d]),
    },
    {
      name: `update of a row ${m}×${d}`,
      kernels: ["update"],
      flops: 0,
      bytes: 2 * F32 * m * d,
      build: (x) => update(x([m, d]), x([1, d]), tensor([1, 0], { dtype: "i32" })),
    },
    { name: `cumsum ${m}×${d}`, kernels: ["scan"], flops: m * d, bytes: 2 * F32 * m * d, build: (x) => cumsum(x([m, d])) },
    { name: `argmax ${m}×${V}`, kernels: ["argreduce"], flops: m * V, bytes: F32 * m * V, build: (x) => argmax(x([m, V])) },
    {
      name: `random bits, ${m}×${d}`,
      kernels: ["random"],
      flops: 0,
      bytes: F32 * m * d,
      build: () => randomBits(tensor(Int32Array.of(1, 2)), [m, d]),
    },
  ];
}
