import { layerNorm as call } from "../../../composites/norm.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

export const layerNorm: readonly ConformanceCase[] = [
  ...(
    [
      [5, 6],
      [3, 64],
      [2, 3, 257],
      [0, 4],
    ] as const
  ).map((shape): ConformanceCase => ({
    name: `layerNorm: [${shape}]`,
    build: (d) => call(sample(d, shape), sample(d, shape.slice(-1), "f32", 2), sample(d, shape.slice(-1), "f32", 3), 1e-5),
    tolerance: CHAIN,
  })),
  {
    name: "layerNorm: bf16, a row of equal numbers",
    build: (d) => [
      call(sample(d, [5, 7], "bf16"), sample(d, [7], "bf16", 2), sample(d, [7], "bf16", 3), 1e-5),
      call(d.tensor([[2, 2, 2, 2]]), sample(d, [4], "f32", 2), sample(d, [4], "f32", 3), 1e-5),
    ],
    tolerance: rounded("bf16"),
  },
];
