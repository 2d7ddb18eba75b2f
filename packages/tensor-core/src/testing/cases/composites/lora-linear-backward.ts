import { loraLinear } from "../../../composites/lora-linear.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { vjp } from "../../../transforms/grad.js";
import { type ConformanceCase, products, sample, ulp } from "../../case.js";

/** Inputs of `loraLinear` with n rows, and the gradients for some dy of those whose numbers are `of`. */
function slopes(
  device: Device,
  [n, k, out, r]: readonly [number, number, number, number],
  of: readonly number[],
  dtype: DType = "f32",
  adapter: DType = dtype,
): Tensor[] {
  const shapes = [[n, k], [out, k], [r, k], [out, r], [out]];
  const inputs = shapes.map((shape, i) => sample(device, shape, i === 2 || i === 3 ? adapter : dtype, i + 1)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const [x, weight, a, b, bias] = inputs;
  return vjp(
    [loraLinear(x, weight, a, b, 0.5, bias)],
    [sample(device, [n, out], dtype, 6)],
    of.map((i) => inputs[i]!),
  );
}

const sizes = [
  [33, 40, 35, 4],
  [1, 64, 65, 8],
  [3, 17, 5, 1],
  [300, 6, 7, 6],
  [0, 4, 5, 2],
] as const;

const cases = (name: string, of: readonly number[]): ConformanceCase[] => [
  ...sizes.map((size): ConformanceCase => ({
    name: `${name}: ${size[0]} rows, ${size[1]} → ${size[2]}, rank ${size[3]}`,
    build: (d) => slopes(d, size, of),
    tolerance: products(8 * Math.max(...size)),
  })),
  ...(
    [
      ["bf16", "bf16"],
      ["bf16", "f32"],
      ["f16", "f16"],
      ["f32", "bf16"],
    ] as const
  ).map(([dtype, adapter]): ConformanceCase => {
    const step = Math.max(ulp(dtype), ulp(adapter));
    return {
      name: `${name}: ${dtype} with an adapter in ${adapter}`,
      build: (d) => slopes(d, [9, 32, 10, 4], of, dtype, adapter),
      tolerance: { relative: 4 * step, absolute: 16 * step, reason: "the decomposition rounds in between, a kernel once" },
      noGradient: "a second derivative of values that were rounded",
    };
  }),
];

export const loraLinearBackward: readonly ConformanceCase[] = cases("loraLinearBackward", [0]);
export const loraFactorGradients: readonly ConformanceCase[] = cases("loraFactorGradients", [2, 3]);
/** What a frozen layer never asks for, and so has no composite. */
export const loraLinearBase: readonly ConformanceCase[] = [
  {
    name: "loraLinear: gradients of the weight and the bias",
    build: (d) => slopes(d, [9, 6, 7, 2], [1, 4]),
    tolerance: products(64),
  },
  {
    name: "loraLinear: gradients through leading axes",
    build: (d) => {
      const [x, a, b] = [sample(d, [2, 3, 8]), sample(d, [2, 8], "f32", 2), sample(d, [6, 2], "f32", 3)];
      return vjp([loraLinear(x, sample(d, [6, 8], "f32", 4), a, b, 2)], [sample(d, [2, 3, 6], "f32", 5)], [x, a, b]);
    },
    tolerance: products(64),
  },
];
