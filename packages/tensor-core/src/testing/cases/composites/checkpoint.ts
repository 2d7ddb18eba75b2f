import { exp, square } from "../../../ops/elementwise.js";
import { matmul } from "../../../ops/linear.js";
import type { Tensor } from "../../../graph.js";
import { tanh } from "../../../ops/elementwise.js";
import { checkpoint as call } from "../../../transforms/checkpoint.js";
import { CHAIN, type ConformanceCase, sample } from "../../case.js";

export const checkpoint: readonly ConformanceCase[] = [
  {
    name: "checkpoint: layers that close over weights",
    build: (d) => {
      const weights = [2, 3].map((seed) => sample(d, [6, 6], "f32", seed));
      return weights.reduce((x, w) => call((a: Tensor) => tanh(matmul(a, w)))(x), sample(d, [5, 6]));
    },
    tolerance: CHAIN,
  },
  {
    name: "checkpoint: inside another",
    build: (d) => call((x: Tensor) => call((y: Tensor) => exp(y))(square(x)))(sample(d, [9])),
    tolerance: CHAIN,
  },
];
