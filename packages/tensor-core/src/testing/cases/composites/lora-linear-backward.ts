import { loraLinear } from "../../../composites/lora-linear.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { vjp } from "../../../transforms/grad.js";
import { type ConformanceCase, products, rounded, sample } from "../../case.js";

/** Inputs of `loraLinear` with n rows, and the gradients for some dy of those whose numbers are `of`. */
function slopes(
  device: Device,
  [n, k, out, r]: readonly [number, number, number, number],
  of: readonly number[],
  dtype: DType = "f32",
): Tensor[] {
  const shapes = [[n, k], [out, k], [r, k], [out, r], [out]];
  const inputs = shapes.map((shape, i) => sample(device, shape, dtype, i + 1)) as [Tensor, Tensor, Tensor, Tensor, Tensor];
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
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `${name}: ${dtype}`,
    build: (d) => slopes(d, [9, 32, 10, 4], of, dtype),
    tolerance: {
      relative: 4 * rounded(dtype).relative,
      absolute: 16 * rounded(dtype).relative,
      reason: `the decomposition rounds to ${dtype} in between`,
    },
    noGradient: "a second derivative of values that were rounded",
  })),
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
];
