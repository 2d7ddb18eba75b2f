import { sgdStep as call } from "../../../composites/optimizer.js";
import type { Device } from "../../../device.js";
import { type Tensor } from "../../../graph.js";
import { mul } from "../../../ops/elementwise.js";
import { zeros } from "../../../ops/create.js";
import { CHAIN, type ConformanceCase } from "../../case.js";

/** Two steps from zero momentum, the second with twice the gradient. */
function steps(d: Device, momentum: number, nesterov: boolean, weightDecay: number): Tensor[] {
  const [g, lr] = [d.tensor([0.1, -0.2, 0.3, 0.4]), d.tensor(0.1)];
  const attrs = { momentum, nesterov, weightDecay };
  const first = call({ p: d.tensor([1, -2, 0.5, 3]), g, lr, buffer: momentum ? zeros([4]) : undefined }, attrs);
  const second = call({ p: first.p, g: mul(g, 2), lr, buffer: first.buffer }, attrs);
  return [second.p, ...(second.buffer ? [second.buffer] : [])];
}

// torch 2.13: optim.SGD, two steps.
export const sgdStep: readonly ConformanceCase[] = [
  {
    name: "sgdStep: weight decay",
    build: (d) => steps(d, 0, false, 0.1),
    tolerance: CHAIN,
    expected: [[0.95020002, -1.90040004, 0.40035, 2.82070017]],
  },
  {
    name: "sgdStep: momentum",
    build: (d) => steps(d, 0.9, false, 0),
    tolerance: CHAIN,
    expected: [
      [0.96100003, -1.92200005, 0.38299999, 2.8440001],
      [0.28999999, -0.57999998, 0.87, 1.15999997],
    ],
  },
  {
    name: "sgdStep: Nesterov's momentum and weight decay",
    build: (d) => steps(d, 0.9, true, 0.1),
    tolerance: CHAIN,
    expected: [
      [0.88952202, -1.77904403, 0.28291348, 2.603827],
      [0.47619998, -0.95239997, 0.95835006, 1.71670008],
    ],
  },
];
