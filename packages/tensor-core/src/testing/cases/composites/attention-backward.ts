import { attention } from "../../../composites/attention.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { less } from "../../../ops/elementwise.js";
import { vjp } from "../../../transforms/grad.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

interface Sizes {
  readonly B?: number;
  readonly H: number;
  readonly G: number;
  readonly T: number;
  readonly S: number;
  readonly d: number;
  readonly masked?: boolean;
}

/** dq, dk, dv for some dy. */
function slopes(device: Device, { B = 1, H, G, T, S, d, masked }: Sizes, causal: boolean, dtype: DType = "f32"): Tensor[] {
  const [q, k, v] = [sample(device, [B, H, T, d], dtype), sample(device, [B, G, S, d], dtype, 2), sample(device, [B, G, S, d], dtype, 3)];
  const mask = masked ? { mask: less(sample(device, [B, 1, T, S], "f32", 7), -0.2) } : {};
  return vjp([attention(q, k, v, { causal, ...mask })], [sample(device, q.shape, dtype, 4)], [q, k, v]);
}

const sizes: readonly Sizes[] = [
  { H: 1, G: 1, T: 1, S: 1, d: 8 },
  { B: 2, H: 4, G: 2, T: 5, S: 33, d: 8 },
  { H: 2, G: 2, T: 40, S: 40, d: 8 },
  { H: 6, G: 2, T: 9, S: 3, d: 7 },
  { B: 2, H: 2, G: 1, T: 9, S: 17, d: 8, masked: true },
];

export const attentionBackward: readonly ConformanceCase[] = [
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
