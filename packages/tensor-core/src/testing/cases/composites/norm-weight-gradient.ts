import { layerNorm, rmsNorm } from "../../../composites/norm.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import { vjp } from "../../../transforms/grad.js";
import { CHAIN, type ConformanceCase, rounded, sample } from "../../case.js";

/** dx, dw and, for layerNorm, db for some dy. */
function slopes(device: Device, kind: "rmsNorm" | "layerNorm", shape: readonly number[], dtype: DType = "f32"): Tensor[] {
  const n = shape.at(-1)!;
  const [x, weight, bias] = [sample(device, shape, dtype), sample(device, [n], dtype, 2), sample(device, [n], dtype, 3)];
  const dy = sample(device, shape, dtype, 4);
  return kind === "rmsNorm"
    ? vjp([rmsNorm(x, weight, 1e-5)], [dy], [x, weight])
    : vjp([layerNorm(x, weight, bias, 1e-5)], [dy], [x, weight, bias]);
}

export const normWeightGradient: readonly ConformanceCase[] = (["rmsNorm", "layerNorm"] as const).flatMap((kind) => [
  ...[
    [3, 7],
    [2, 5, 33],
    [9, 300],
    [200, 65],
    [0, 5],
  ].map((shape): ConformanceCase => ({
    name: `normWeightGradient: ${kind} of [${shape}]`,
    build: (d) => slopes(d, kind, shape),
    tolerance: { ...CHAIN, absolute: 1e-4 },
  })),
  ...(["bf16", "f16"] as const).map((dtype): ConformanceCase => ({
    name: `normWeightGradient: ${kind}, ${dtype}`,
    build: (d) => slopes(d, kind, [150, 7], dtype),
    tolerance: { relative: 2 * rounded(dtype).relative, absolute: rounded(dtype).relative, reason: `one rounding to ${dtype}` },
    noGradient: "a second derivative of values that were rounded",
  })),
]);
