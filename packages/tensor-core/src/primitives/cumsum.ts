import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Attributes `axis` and `reverse`. */
export const cumsum: Primitive = {
  name: "cumsum",
  group: "scan",
  meaning: "running sum along an axis, optionally from the end",
  infer: ([x]) => x!,
  gradient: ({ attrs }, dy, o) => [o.cumsum(dy, axisOf(attrs), !attrs.reverse)],
  reference: ([x], attrs) => {
    const [outer, n, inner] = around(x!.shape, axisOf(attrs));
    const result = x!.values.slice();
    for (let o = 0; o < outer; o++) {
      for (let k = 0; k < inner; k++) {
        for (let i = 1; i < n; i++) {
          const at = (o * n + (attrs.reverse ? n - 1 - i : i)) * inner + k;
          result[at]! += result[at + (attrs.reverse ? inner : -inner)]!;
        }
      }
    }
    return result;
  },
};
