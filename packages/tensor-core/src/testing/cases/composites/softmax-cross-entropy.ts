import { softmaxCrossEntropy as call } from "../../../composites/loss.js";
import { iota, tensor } from "../../../ops/create.js";
import { equal, less, where } from "../../../ops/elementwise.js";
import { transpose } from "../../../ops/movement.js";
import { gradients } from "../../../transforms/grad.js";
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
    name: "softmaxCrossEntropy: f16 logits, more than 2048 classes, labels of 8 bits",
    build: (d) => [
      call(sample(d, [3, 64], "f16"), d.tensor(Int32Array.of(1, 63, 0), { dtype: "u8" })),
      call(sample(d, [3, 2100]), d.tensor(Int32Array.of(2099, 2047, 2048))),
    ],
    tolerance: { ...rounded("f16"), relative: 1e-5 },
  },
  {
    name: "softmaxCrossEntropy: a row that is ignored counts for nothing, whatever it holds",
    build: (d) => {
      const bad = where(equal(iota([4, 40], 0), 1), tensor(NaN), sample(d, [4, 40]));
      const worse = where(equal(iota([4, 40], 0), 0), tensor(Infinity), sample(d, [4, 40]));
      return [call(bad, d.tensor(Int32Array.of(3, -100, 39, 0))), call(worse, d.tensor(Int32Array.of(0, 1, 2, 3)), 0)];
    },
    tolerance: CHAIN,
    nonsmooth: "NaN and infinity",
  },
  {
    name: "softmaxCrossEntropy: NaN for a label that is no class, and a gradient that is NaN in its row alone",
    build: (d) =>
      [40, -1, 2 ** 31 - 1].flatMap((label) => {
        const x = sample(d, [3, 40]);
        const loss = call(x, d.tensor(Int32Array.of(1, label, -100)));
        return [loss, ...gradients(loss, [x])];
      }),
    tolerance: CHAIN,
    noGradient: "NaN",
  },
  {
    name: "softmaxCrossEntropy: classes that are out of the question, and a row where all are",
    build: (d) => {
      const columns = iota([2, 2100], 1);
      return [
        call(where(less(columns, 2060), tensor(-Infinity), sample(d, [2, 2100])), d.tensor(Int32Array.of(2080, 2099))),
        call(where(less(columns, 2100), tensor(-Infinity), sample(d, [2, 2100])), d.tensor(Int32Array.of(2080, 2099))),
      ];
    },
    tolerance: CHAIN,
    noGradient: "NaN of the second",
  },
  {
    name: "softmaxCrossEntropy: NaN if all labels are ignored",
    build: (d) => call(d.tensor([[1, 2, 3]]), d.tensor(Int32Array.of(-100))),
    tolerance: CHAIN,
    expected: [[NaN]], // torch 2.13: F.cross_entropy
    noGradient: "NaN",
  },
];
