import * as o from "../../../ops/index.js";
import { CHAIN, type ConformanceCase, EXACT, sample } from "../../case.js";

export const control: readonly ConformanceCase[] = [
  {
    name: "stopGradient: the value, no gradient",
    build: (d) => {
      const x = sample(d, [5, 7]);
      return [o.stopGradient(x), o.mul(x, o.stopGradient(x))];
    },
    tolerance: EXACT,
    nonsmooth: "the gradient is not that of the function",
  },
  {
    name: "barrier: the value, after another",
    build: (d) => {
      const x = sample(d, [5, 7]);
      return o.mul(o.barrier(x, o.sum(sample(d, [9], "f32", 2))), 2);
    },
    tolerance: EXACT,
  },
  {
    name: "expressions that share parts are computed once",
    build: (d) => {
      const x = sample(d, [6, 9]);
      const e = o.exp(o.sub(x, o.max(x, { axes: [1], keepDims: true })));
      return [e, o.sum(e, { axes: [1] }), o.div(e, o.sum(e, { axes: [1], keepDims: true }))];
    },
    tolerance: CHAIN,
  },
];
