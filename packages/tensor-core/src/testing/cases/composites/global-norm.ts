import { clipByGlobalNorm as clip, globalNorm as call } from "../../../composites/optimizer.js";
import type { Device } from "../../../device.js";
import type { Tensor } from "../../../graph.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

function clipped(tensors: readonly Tensor[], maxNorm: number): Tensor[] {
  const { tensors: results, norm } = clip(tensors, maxNorm);
  return [...results, norm];
}
const pair = (d: Device): Tensor[] => [
  d.tensor([3, 4]),
  d.tensor([
    [1, -2],
    [2, 0],
  ]),
];

export const globalNorm: readonly ConformanceCase[] = [
  [[3]],
  [[1], [2, 5]],
  [[7, 9], [0, 4], [300, 40], []],
  Array.from({ length: 30 }, (_, i) => [i, 3]),
].map((shapes) => ({
  name: `globalNorm: ${shapes.length} tensors, the first [${shapes[0]}]`,
  build: (d) => call(shapes.map((shape, i) => sample(d, shape, "f32", i + 1))),
  tolerance: CHAIN,
}));

// torch 2.13: nn.utils.clip_grad_norm_
export const clipByGlobalNorm: readonly ConformanceCase[] = [
  {
    name: "clipByGlobalNorm: above the limit",
    build: (d) => clipped(pair(d), 1),
    tolerance: CHAIN,
    expected: [[0.51449573, 0.68599427], [0.17149857, -0.34299713, 0.34299713, 0], [5.83095169]],
  },
  {
    name: "clipByGlobalNorm: below the limit nothing changes",
    build: (d) => clipped(pair(d), 100),
    tolerance: CHAIN,
    expected: [[3, 4], [1, -2, 2, 0], [5.83095169]],
  },
  {
    name: "clipByGlobalNorm: mixed dtypes",
    build: (d) => clipped([sample(d, [5, 7], "bf16"), sample(d, [9], "f16", 2), sample(d, [300], "f32", 3)], 0.5),
    tolerance: rounded("bf16"),
  },
];
