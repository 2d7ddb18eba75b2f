import { weightNorm as call } from "../../../composites/dora-norm.js";
import { type ConformanceCase, products, sample } from "../../case.js";

export const weightNorm: readonly ConformanceCase[] = (
  [
    [5, 7, 2, "f32"],
    [33, 70, 4, "f32"],
    [1, 300, 1, "f32"],
    [17, 64, 16, "f32"],
    [20, 33, 3, "bf16"],
    [9, 40, 2, "f16"],
  ] as const
).map(([out, width, r, dtype]) => ({
  name: `weightNorm: ${dtype} [${out}, ${width}], rank ${r}`,
  build: (d) => call(sample(d, [out, width], dtype), sample(d, [r, width], "f32", 2), sample(d, [out, r], "f32", 3), 0.5),
  tolerance: products(r + 4),
}));
