import { exp, mul, neg, selectiveScan, wkv } from "@weft/tensor-core";
import { F32, type KernelCase, type Sizes } from "./case.js";

/** States of a channel in Mamba. */
const STATES = 16;

/** Recurrences over the steps of a sequence. */
export function recurrenceCases({ width: d, tokens: m }: Sizes): KernelCase[] {
  return [
    {
      name: `wkv ${m}×${d}`,
      kernels: ["wkv"],
      flops: 16 * m * d,
      bytes: 3 * F32 * m * d,
      build(x) {
        const state = { numerator: x([1, d], "f32", 5), denominator: exp(x([1, d], "f32", 6)), exponent: x([1, d], "f32", 7) };
        return wkv(neg(exp(x([d], "f32", 3))), x([d], "f32", 4), x([1, m, d]), x([1, m, d], "f32", 2), state).y;
      },
    },
    {
      name: `selectiveScan ${m}×${d}, ${STATES} states`,
      kernels: ["selectiveScan"],
      flops: 7 * m * d * STATES,
      bytes: F32 * m * (3 * d + 2 * STATES),
      build: (x) =>
        selectiveScan({
          x: x([1, m, d]),
          delta: mul(exp(x([1, m, d], "f32", 2)), 0.1),
          a: neg(exp(x([d, STATES], "f32", 3))),
          b: x([1, m, STATES], "f32", 4),
          c: x([1, m, STATES], "f32", 5),
          d: x([d], "f32", 6),
          start: x([1, d, STATES], "f32", 7),
        }).y,
    },
  ];
}
