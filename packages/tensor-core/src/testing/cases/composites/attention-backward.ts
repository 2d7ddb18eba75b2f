import { attention } from "../../../composites/attention.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { less } from "../../../ops/elementwise.js";
import { transpose } from "../../../ops/movement.js";
import { vjp } from "../../../transforms/grad.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

interface Sizes {
  readonly B?: number;
  readonly H: number;
  readonly G: number;
  readonly T: number;
  readonly S: number;
  readonly d: number;
  /** Width of v, if it is another. */
  readonly dv?: number;
  /** Shape of a mask, if there is one. */
  readonly mask?: readonly number[];
  readonly lengths?: readonly number[];
}

/** dq, dk, dv for some dy. */
function slopes(device: Device, { B = 1, H, G, T, S, d, dv = d, mask, lengths }: Sizes, causal: boolean, dtype: DType = "f32"): Tensor[] {
  const [q, k, v] = [sample(device, [B, H, T, d], dtype), sample(device, [B, G, S, d], dtype, 2), sample(device, [B, G, S, dv], dtype, 3)];
  const seen = mask ? { mask: less(sample(device, mask, "f32", 7), -0.2) } : {};
  const valid = lengths ? { lengths: device.tensor(lengths, { dtype: "i32" }) } : {};
  return vjp([attention(q, k, v, { causal, ...seen, ...valid })], [sample(device, [B, H, T, dv], dtype, 4)], [q, k, v]);
}

const sizes: readonly Sizes[] = [
  { H: 1, G: 1, T: 1, S: 1, d: 8 },
  { B: 2, H: 4, G: 2, T: 5, S: 33, d: 8 },
  { H: 2, G: 2, T: 40, S: 40, d: 8 },
  { H: 6, G: 2, T: 9, S: 3, d: 7 },
  { H: 2, G: 2, T: 35, S: 6, d: 7, dv: 9 },
  { H: 2, G: 1, T: 0, S: 3, d: 8 },
  { H: 2, G: 1, T: 3, S: 0, d: 8 },
  { B: 2, H: 2, G: 1, T: 9, S: 17, d: 8, mask: [2, 1, 9, 17] },
  { B: 2, H: 4, G: 2, T: 7, S: 19, d: 8, mask: [7, 19] },
  { B: 2, H: 2, G: 2, T: 7, S: 5, d: 8, mask: [1, 1, 7, 1] },
  { B: 4, H: 2, G: 1, T: 12, S: 20, d: 8, lengths: [13, 5, 0, 90] },
  { B: 2, H: 2, G: 1, T: 5, S: 9, d: 8, mask: [5, 9], lengths: [7, 9] },
  // More rows and keys than the blocks of kernels, and wide ones.
  { H: 2, G: 1, T: 40, S: 150, d: 8 },
  { H: 1, G: 1, T: 33, S: 40, d: 136 },
];

export const attentionBackward: readonly ConformanceCase[] = [
  {
    name: "attentionBackward: operands that lie transposed",
    build: (d) => {
      const heads = (t: Tensor): Tensor => transpose(t, [0, 2, 1, 3]);
      const [q, k, v] = [sample(d, [2, 9, 4, 8]), sample(d, [2, 21, 2, 8], "f32", 2), sample(d, [2, 21, 2, 8], "f32", 3)];
      return vjp([attention(heads(q), heads(k), heads(v), { causal: true })], [heads(sample(d, [2, 9, 4, 8], "f32", 4))], [q, k, v]);
    },
    tolerance: { ...CHAIN, relative: 1e-4 },
  },
  ...sizes.map((size): ConformanceCase => ({
    name: `attentionBackward: ${JSON.stringify(size)}, plain and causal`,
    build: (d) => [...slopes(d, size, false), ...slopes(d, size, true)],
    tolerance: { ...CHAIN, relative: 1e-4 },
  })),
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `attentionBackward: ${dtype}`,
    build: (d) => slopes(d, { H: 4, G: 2, T: 9, S: 21, d: 8 }, true, dtype),
    tolerance: {
      relative: 2 * rounded(dtype).relative,
      absolute: 2 * rounded(dtype).relative,
      reason: `scores, y and results are rounded to ${dtype}`,
    },
    noGradient: "a second derivative of values that were rounded",
  })),
];
