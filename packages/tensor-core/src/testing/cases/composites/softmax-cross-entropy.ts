import { softmaxCrossEntropy as call } from "../../../composites/loss.js";
import { transpose } from "../../../ops/movement.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

export const softmaxCrossEntropy: readonly ConformanceCase[] = [
  {
    name: "softmaxCrossEntropy: ignored labels, another mark, transposed logits",
    build: (d) => [
      call(sample(d, [3, 40]), d.tensor(Int32Array.of(3, -100, 39))),
      call(sample(d, [4, 7]), d.tensor(Int32Array.of(0, 6, 2, 0)), 0),
      call(transpose(sample(d, [65, 5])), d.tensor(Int32Array.of(64, 0, 1, 2, 3))),
    ],
    tolerance: CHAIN,
  },
  {
    name: "softmaxCrossEntropy: bf16 logits",
    build: (d) => call(sample(d, [5, 33], "bf16"), d.tensor(Int32Array.of(1, 2, 3, 4, 32))),
    tolerance: { ...rounded("bf16"), relative: 1e-5 },
  },
  {
    name: "softmaxCrossEntropy: NaN if all labels are ignored",
    build: (d) => call(d.tensor([[1, 2, 3]]), d.tensor(Int32Array.of(-100))),
    tolerance: CHAIN,
    expected: [[NaN]], // torch 2.13: F.cross_entropy
    noGradient: "NaN",
  },
];
