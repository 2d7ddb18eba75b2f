import { attention as call, type AttentionOptions } from "../../../composites/attention.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { less } from "../../../ops/elementwise.js";
import { flip, slice, transpose } from "../../../ops/movement.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

interface Sizes {
  readonly B?: number;
  readonly H: number;
  readonly G: number;
  readonly T: number;
  readonly S: number;
  readonly d: number;
}

function attend(device: Device, { B = 1, H, G, T, S, d }: Sizes, options: AttentionOptions = {}, dtype: DType = "f32"): Tensor {
  return call(sample(device, [B, H, T, d], dtype), sample(device, [B, G, S, d], dtype, 2), sample(device, [B, G, S, d], dtype, 3), options);
}

/** Few widths: kernels are compiled for each. */
const sizes: readonly Sizes[] = [
  { H: 1, G: 1, T: 1, S: 1, d: 8 },
  { B: 2, H: 4, G: 2, T: 5, S: 33, d: 8 },
  { H: 2, G: 2, T: 40, S: 40, d: 8 },
  { H: 6, G: 2, T: 1, S: 50, d: 7 },
  { H: 2, G: 1, T: 9, S: 17, d: 65 },
  // More rows and keys than the blocks of kernels.
  { H: 2, G: 1, T: 70, S: 150, d: 8 },
];

/** Keys and values as a cache [B, S, G, d] has them, and queries [B, T, H, d]. */
function transposed(device: Device, { B = 1, H, G, T, S, d }: Sizes, options: AttentionOptions = {}, dtype: DType = "f32"): Tensor {
  const heads = (x: Tensor): Tensor => transpose(x, [0, 2, 1, 3]);
  const [q, k, v] = [sample(device, [B, T, H, d], dtype), sample(device, [B, S, G, d], dtype, 2), sample(device, [B, S, G, d], dtype, 3)];
  return call(heads(q), heads(k), heads(v), options);
}

const ints = (device: Device, values: readonly number[]): Tensor => device.tensor(values, { dtype: "i32" });

export const attention: readonly ConformanceCase[] = [
  ...sizes.map((size): ConformanceCase => ({
    name: `attention: ${JSON.stringify(size)}, plain and causal`,
    build: (d) => [attend(d, size), attend(d, size, { causal: true, scale: 0.3 })],
    tolerance: CHAIN,
  })),
  {
    name: "attention: masks that broadcast, alone and with causal",
    build: (d) =>
      [
        [7, 19],
        [2, 1, 7, 19],
        [1, 1, 1, 19],
      ].flatMap((shape, i) => {
        const mask = less(sample(d, shape, "f32", i + 7), 0.2);
        return [true, false].map((causal) => attend(d, { B: 2, H: 4, G: 2, T: 7, S: 19, d: 8 }, { mask, causal }));
      }),
    tolerance: CHAIN,
  },
  {
    name: "attention: operands that lie transposed, and rows the other way round",
    build: (d) => [
      transposed(d, { B: 2, H: 4, G: 2, T: 1, S: 70, d: 8 }),
      transposed(d, { B: 2, H: 2, G: 2, T: 12, S: 20, d: 8 }, { causal: true }),
      call(flip(sample(d, [1, 2, 3, 8]), [3]), flip(sample(d, [1, 2, 9, 8], "f32", 2), [2]), flip(sample(d, [1, 2, 9, 8], "f32", 3), [3])),
    ],
    tolerance: CHAIN,
  },
  {
    name: "attention: lengths, of which there may be more than keys, or fewer than queries, or none",
    build: (d) => [
      ...[true, false].flatMap((causal) => [
        attend(d, { B: 3, H: 4, G: 2, T: 1, S: 70, d: 8 }, { lengths: ints(d, [70, 66, 1]), causal }),
        attend(d, { B: 4, H: 2, G: 1, T: 12, S: 20, d: 8 }, { lengths: ints(d, [13, 5, 0, 90]), causal }),
      ]),
      attend(
        d,
        { B: 2, H: 2, G: 1, T: 5, S: 9, d: 8 },
        { lengths: ints(d, [7, -2]), causal: true, mask: less(sample(d, [5, 9], "f32", 8), 0.3) },
      ),
      transposed(d, { B: 2, H: 2, G: 1, T: 2, S: 9, d: 8 }, { lengths: slice(ints(d, [3, 0, 8, 0]), [[0, 4]], [2]), causal: true }),
    ],
    tolerance: CHAIN,
  },
  {
    name: "attention: rows that see nothing give zeros and take no gradient",
    build: (d) => {
      const mask = d.tensor(
        [
          [1, 0, 1],
          [0, 0, 0],
        ],
        { dtype: "bool" },
      );
      return [
        attend(d, { H: 1, G: 1, T: 2, S: 3, d: 8 }, { mask }),
        attend(d, { H: 2, G: 1, T: 5, S: 3, d: 8 }, { causal: true }),
        attend(d, { H: 2, G: 2, T: 40, S: 3, d: 8 }, { causal: true, scale: 20 }),
      ];
    },
    tolerance: CHAIN,
  },
  {
    name: "attention: more queries than keys, as torch with the mask of `causal`",
    build: (d) => {
      const make = (shape: readonly number[], step: number) =>
        d.tensor(
          Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => ((i * step) % 7) - 3),
          { shape },
        );
      return call(make([1, 1, 4, 2], 3), make([1, 1, 2, 2], 2), make([1, 1, 2, 2], 5), { causal: true });
    },
    tolerance: CHAIN,
    // torch 2.13: scaled_dot_product_attention(q, k, v, attn_mask=ones(4, 2).tril(-2).bool())
    expected: [[0, 0, 0, 0, -3, 2, -2.9895558, 1.9860746]],
  },
  {
    name: "attention: values of another width, one head wider than kernels take",
    build: (d) => [
      call(sample(d, [1, 2, 6, 8]), sample(d, [1, 2, 9, 8], "f32", 2), sample(d, [1, 2, 9, 5], "f32", 3)),
      call(sample(d, [1, 2, 6, 4]), sample(d, [1, 2, 9, 4], "f32", 2), sample(d, [1, 2, 9, 40], "f32", 3)),
      attend(d, { H: 1, G: 1, T: 2, S: 2, d: 300 }),
    ],
    tolerance: CHAIN,
  },
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `attention: ${dtype}`,
    build: (d) => [
      attend(d, { H: 4, G: 2, T: 9, S: 21, d: 8 }, { causal: true }, dtype),
      attend(d, { H: 2, G: 2, T: 3, S: 5, d: 7 }, { causal: true }, dtype),
      transposed(d, { B: 2, H: 4, G: 2, T: 1, S: 70, d: 8 }, { lengths: ints(d, [70, 66]) }, dtype),
    ],
    tolerance: {
      relative: 2 * rounded(dtype).relative,
      absolute: 2 * rounded(dtype).relative,
      reason: `scores and weights are rounded to ${dtype} on the way`,
    },
  })),
];
