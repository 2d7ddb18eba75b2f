import { adamwStep as call } from "../../../composites/optimizer.js";
import type { Tensor } from "../../../graph.js";
import { type ConformanceCase, positive, sample } from "../../case.js";

const attrs = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 };

const shaped: readonly ConformanceCase[] = [[37], [5, 13], [0, 3]].map((shape) => ({
  name: `adamwStep: [${shape}]`,
  build: (d) => {
    const [p, g, m] = [1, 2, 3].map((seed) => sample(d, shape, "f32", seed)) as [Tensor, Tensor, Tensor];
    const [lr, step] = [0.1, 3].map((value) => d.tensor(value)) as [Tensor, Tensor];
    return Object.values(call({ p, g, m, v: positive(d, shape, "f32", 4), lr, step }, attrs));
  },
  tolerance: { relative: 4e-6, absolute: 1e-6, reason: "a chain of a dozen roundings; m and √v may cancel against eps and p" },
}));

export const adamwStep: readonly ConformanceCase[] = [
  ...shaped,
  {
    // At t = 1, from m = v = 0, the step is lr·g/(|g| + eps), whatever β₁ and β₂: torch.optim.AdamW gives 0.9 and 1.1 here.
    name: "adamwStep: the first step is as long as lr",
    build: (d) =>
      [0.9, 0.99, 0.999, 0.9999].map((beta) => {
        const [p, g, zero] = [d.tensor([1, 1]), d.tensor([0.5, -2]), d.tensor([0, 0])];
        const betas = { beta1: beta, beta2: beta, eps: 0, weightDecay: 0 };
        return call({ p, g, m: zero, v: zero, lr: d.tensor(0.1), step: d.tensor(1) }, betas).p;
      }),
    tolerance: { relative: 2e-7, absolute: 0, reason: "lr/(1-β) · (1-β) is 1 ± 8 half-units, a tenth of which counts" },
    expected: [
      [0.9, 1.1],
      [0.9, 1.1],
      [0.9, 1.1],
      [0.9, 1.1],
    ],
    noGradient: "of a step that starts at v = 0",
  },
  {
    // m̂ and v̂ stay 1 for a constant gradient of 1, for as many steps as there are: (1-βᵗ)/(1-βᵗ).
    name: "adamwStep: bias correction at any step",
    build: (d) =>
      [1, 2, 10, 1000, 100000].map((t) => {
        const at = (beta: number): Tensor => d.tensor([1 - beta ** (t - 1)]);
        return call(
          { p: d.tensor([1]), g: d.tensor([1]), m: at(0.9), v: at(0.999), lr: d.tensor(0.1), step: d.tensor(t) },
          { beta1: 0.9, beta2: 0.999, eps: 0, weightDecay: 0 },
        ).p;
      }),
    tolerance: { relative: 2e-7, absolute: 0, reason: "as above" },
    expected: [[0.9], [0.9], [0.9], [0.9], [0.9]],
    noGradient: "of a step that starts at v = 0",
  },
];
