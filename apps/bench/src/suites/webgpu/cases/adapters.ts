import {
  add,
  blockRotate,
  cast,
  cayley,
  equal,
  inverse,
  iota,
  kronLinear,
  multiLora,
  mul,
  sub,
  swapLast,
  type Tensor,
  tensor,
  weightNorm,
} from "@weft/tensor-core";
import { F32, type KernelCase, type Make, type Sizes } from "./case.js";

const ADAPTERS = 8;

/** x through a bank of adapters of mixed ranks (rank/4, rank/2, rank, 2·rank …), each row through another one. */
function mixed(x: Make, d: number, r: number, tokens: number): Tensor {
  const ranks = Array.from({ length: ADAPTERS }, (_, k) => Math.max(1, (r / 4) * 2 ** (k % 4)));
  const starts = Int32Array.from({ length: ADAPTERS + 1 }, (_, k) => ranks.slice(0, k).reduce((a, b) => a + b, 0));
  const total = starts[ADAPTERS]!;
  const bank = {
    a: x([total, d], "f32", 2),
    b: x([total, d], "f32", 3),
    scales: x([ADAPTERS], "f32", 4),
    starts: tensor(starts),
    rank: Math.max(...ranks),
  };
  return multiLora(x([ADAPTERS, tokens, d]), tensor(Int32Array.from(ranks, (_, k) => k)), bank);
}

/** What the adapters of a model cost beside its products. */
export function adapterCases({ width: d, tokens, rank: r }: Sizes): KernelCase[] {
  const ranks = 2 * (r / 4 + r / 2 + r + 2 * r);
  const m = tokens / ADAPTERS;
  const b = 32;
  const n = d / b;
  const skew = (q: Tensor): Tensor => mul(sub(q, swapLast(q)), 0.1);
  const [p, s] = [8, d / 8];
  const multi = (each: number): KernelCase => ({
    name: `${ADAPTERS} LoRAs of mixed ranks, ${ADAPTERS}×${each} tokens of ${d}`,
    kernels: ["multiLora"],
    flops: 4 * each * ranks * d,
    bytes: F32 * (2 * ADAPTERS * each * d + 2 * ranks * d),
    build: (x) => mixed(x, d, r, each),
  });
  const lokr = (rows: number, kernels: readonly string[]): KernelCase => ({
    name: `LoKr forward ${rows}×${d}, ${p}×${p} ⊗ ${s}×${s}`,
    kernels,
    flops: 2 * rows * p * s * (s + p),
    bytes: F32 * (2 * rows * d + p * p + s * s),
    build: (x) => kronLinear(x([rows, d]), x([p, p], "f32", 2), x([s, s], "f32", 3)),
  });
  return [
    multi(1),
    multi(m),
    {
      name: `DoRA row norms ${d}×${d}, rank ${r}`,
      kernels: ["weightNorm"],
      flops: 2 * d * d * r + 2 * d * d,
      bytes: F32 * (d * d + 2 * r * d),
      build: (x) => weightNorm(x([d, d]), x([r, d], "f32", 2), x([d, r], "f32", 3), 0.5),
    },
    {
      name: `block rotation of ${tokens}×${d}, blocks of ${b}`,
      kernels: ["blockRotate"],
      flops: 2 * tokens * d * b,
      bytes: F32 * (2 * tokens * d + d * b),
      build: (x) => blockRotate(x([tokens, d]), x([n, b, b], "f32", 2)),
    },
    {
      name: `Cayley transform of ${n} blocks of ${b}`,
      kernels: ["cayley"],
      flops: 2 * n * b ** 3,
      bytes: 2 * F32 * n * b * b,
      known: (x) => [skew(x([n, b, b]))],
      build: (_, [q]) => cayley(q!),
    },
    {
      name: `inverse of ${n} blocks of ${b}`,
      kernels: ["inverse"],
      flops: 2 * n * b ** 3,
      bytes: 2 * F32 * n * b * b,
      known: (x) => [add(skew(x([n, b, b])), cast(equal(iota([b, b], 0), iota([b, b], 1)), "f32"))],
      build: (_, [matrix]) => inverse(matrix!),
    },
    lokr(1, ["kronLinear"]),
    lokr(tokens, ["matmul"]),
  ];
}
