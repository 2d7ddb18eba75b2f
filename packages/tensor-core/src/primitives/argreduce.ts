import { sizeOf } from "../shape.js";
import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Index (i32) of the first max or min along an axis; the first NaN wins, as in max and min. Attributes `how` ("max" or "min") and `axis`. */
export const argreduce: Primitive = {
  name: "argreduce",
  group: "reduce",
  infer: ([x], attrs) => ({ shape: x!.shape.filter((_, i) => i !== attrs.axis), dtype: "i32" }),
  reference: ([x], attrs, out) => {
    const [, n, inner] = around(x!.shape, axisOf(attrs));
    const sign = attrs.how === "max" ? 1 : -1;
    return Float64Array.from({ length: sizeOf(out.shape) }, (_, at) => {
      const base = Math.floor(at / inner) * n * inner + (at % inner);
      const score = (i: number): number => sign * x!.values[base + i * inner]!;
      let best = 0;
      for (let i = 1; i < n; i++) if (score(i) > score(best) || (Number.isNaN(score(i)) && !Number.isNaN(score(best)))) best = i;
      return best;
    });
  },
};
