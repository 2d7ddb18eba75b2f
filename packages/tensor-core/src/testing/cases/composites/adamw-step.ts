import { adamwStep as call } from "../../../composites/optimizer.js";
import type { Tensor } from "../../../graph.js";
import { type ConformanceCase, positive, sample } from "../../case.js";

const attrs = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 };

export const adamwStep: readonly ConformanceCase[] = [[37], [5, 13], [0, 3]].map((shape) => ({
  name: `adamwStep: [${shape}]`,
  build: (d) => {
    const [p, g, m] = [1, 2, 3].map((seed) => sample(d, shape, "f32", seed)) as [Tensor, Tensor, Tensor];
    const [lr, step] = [0.1, 3].map((value) => d.tensor(value)) as [Tensor, Tensor];
    return Object.values(call({ p, g, m, v: positive(d, shape, "f32", 4), lr, step }, attrs));
  },
  tolerance: { relative: 5e-5, absolute: 2e-6, reason: "1 - βᵗ loses digits of a power that is not rounded exactly everywhere" },
}));
