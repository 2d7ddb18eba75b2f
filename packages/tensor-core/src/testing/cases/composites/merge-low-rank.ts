import { mergeLowRank as call } from "../../../composites/lora-linear.js";
import { slice, swapLast } from "../../../ops/movement.js";
import { type ConformanceCase, products, sample, type Tolerance, ulp } from "../../case.js";

export const mergeLowRank: readonly ConformanceCase[] = [
  ...(
    [
      [33, 40, 4],
      [5, 70, 1],
      [65, 9, 16],
      [3, 4, 2],
    ] as const
  ).map(([n, k, r]): ConformanceCase => ({
    name: `mergeLowRank: [${n}, ${k}], rank ${r}`,
    build: (d) => call(sample(d, [n, k]), sample(d, [r, k], "f32", 2), sample(d, [n, r], "f32", 3), { scale: 0.25 }),
    tolerance: products(r),
  })),
  {
    name: "mergeLowRank: views, a part of the rows, no rows",
    build: (d) => {
      const [w, a, b] = [sample(d, [24, 13]), sample(d, [3, 13], "f32", 2), sample(d, [24, 3], "f32", 3)];
      return [
        call(swapLast(sample(d, [13, 24], "f32", 4)), swapLast(sample(d, [13, 3], "f32", 5)), b, { scale: 0.25 }),
        slice(call(w, a, b, { scale: 2 }), [
          [5, 17],
          [2, 13],
        ]),
        call(sample(d, [0, 13]), a, sample(d, [0, 3]), { scale: 2 }),
      ];
    },
    tolerance: products(3),
  },
  ...(
    [
      ["bf16", "f32"],
      ["bf16", "bf16"],
      ["f16", "f16"],
      ["f16", "f32"],
      ["f32", "f16"],
    ] as const
  ).map(([dtype, adapter]): ConformanceCase => {
    const step = ulp(dtype);
    const tolerance: Tolerance = {
      relative: step,
      absolute: Math.max(2 ** -20, step),
      reason: `the sum, and Δ first if asked, may round the other way in ${dtype}`,
    };
    return {
      name: `mergeLowRank: ${dtype} weight, ${adapter} adapter, both orientations, one rounding and two`,
      build: (d) => {
        const [a, b] = [sample(d, [5, 53], adapter, 2), sample(d, [37, 5], adapter, 3)];
        return [
          call(sample(d, [37, 53], dtype), a, b, { scale: 0.75, deltaDtype: dtype === adapter ? "f32" : dtype }),
          call(sample(d, [53, 37], dtype), a, b, { scale: 0.75, transposed: true, deltaDtype: adapter }),
        ];
      },
      tolerance,
    };
  }),
  {
    name: "mergeLowRank: half precision in, f32 out",
    build: (d) =>
      call(sample(d, [21, 34], "bf16"), sample(d, [4, 21], "f32", 2), sample(d, [34, 4], "f32", 3), {
        scale: 1,
        transposed: true,
        dtype: "f32",
      }),
    tolerance: products(4),
  },
];
