import { numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Axes in another order. Attribute `axes`, a permutation: axis i of the result is axis `axes[i]` of the input. */
export const transpose: Primitive = {
  name: "transpose",
  group: "movement",
  infer: ([x], attrs) => ({ shape: numbersOf(attrs, "axes").map((i) => x!.shape[i]!), dtype: x!.dtype }),
  gradient: ({ attrs }, dy, o) => {
    const axes = numbersOf(attrs, "axes");
    return [
      o.transpose(
        dy,
        axes.map((_, i) => axes.indexOf(i)),
      ),
    ];
  },
  slice: ({ attrs }, box) => {
    const axes = numbersOf(attrs, "axes");
    return { boxes: [axes.map((_, i) => box[axes.indexOf(i)]!)] };
  },
  view: (view, shape, attrs) => ({ ...view, shape, strides: numbersOf(attrs, "axes").map((a) => view.strides[a]!) }),
};
