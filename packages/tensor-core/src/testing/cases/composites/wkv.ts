import { wkv as call } from "../../../composites/wkv.js";
import type { Device } from "../../../device.js";
import type { Tensor } from "../../../graph.js";
import { exp, mul, neg } from "../../../ops/elementwise.js";
import { full, zeros } from "../../../ops/create.js";
import { CHAIN, type ConformanceCase, sample } from "../../case.js";

/** A pass from a state, and one of two steps from what that leaves: what a state holds depends on its exponents, but nothing that is computed from it. */
const run = (d: Device, batch: number, length: number, width: number, scale = 1, exponent?: Tensor): Tensor[] => {
  const start = exponent
    ? { numerator: sample(d, [batch, width], "f32", 5), denominator: exp(sample(d, [batch, width], "f32", 6)), exponent }
    : { numerator: zeros([batch, width]), denominator: zeros([batch, width]), exponent: full([batch, width], -1e38) };
  const [decay, bonus] = [neg(exp(sample(d, [width]))), sample(d, [width], "f32", 2)];
  const values = (steps: number, seed: number): Tensor => sample(d, [batch, steps, width], "f32", seed);
  const first = call(decay, bonus, mul(values(length, 3), scale), values(length, 4), start);
  return [first.y, call(decay, bonus, mul(values(2, 8), scale), values(2, 9), first.state).y];
};

export const wkv: readonly ConformanceCase[] = [
  {
    name: "wkv: from the beginning, for one step and for many",
    build: (d) => [...run(d, 2, 1, 5), ...run(d, 1, 37, 8)],
    tolerance: CHAIN,
  },
  {
    name: "wkv: going on from a state, exponents that a plain exp would not hold",
    build: (d) => [...run(d, 2, 7, 3, 1, sample(d, [2, 3], "f32", 7)), ...run(d, 1, 9, 4, 60)],
    tolerance: { ...CHAIN, relative: 3e-5, reason: `${CHAIN.reason}; differences of exponents up to 100` },
    nonsmooth: "e^-100 leaves nothing that a finite difference could see",
  },
];
