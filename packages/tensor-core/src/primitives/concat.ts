import { ShapeError } from "../errors.js";
import { sizeOf } from "../shape.js";
import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Joined along an axis. Attribute `axis`. */
export const concat: Primitive = {
  name: "concat",
  group: "movement",
  infer: (inputs, attrs) => {
    const axis = axisOf(attrs);
    const first = inputs[0]!;
    for (const { shape, dtype } of inputs) {
      if (dtype !== first.dtype || shape.length !== first.shape.length || shape.some((d, i) => i !== axis && d !== first.shape[i])) {
        throw new ShapeError(`concat: ${dtype}[${shape}] does not fit ${first.dtype}[${first.shape}] along axis ${axis}`);
      }
    }
    const length = inputs.reduce((sum, x) => sum + x.shape[axis]!, 0);
    return { shape: first.shape.map((d, i) => (i === axis ? length : d)), dtype: first.dtype };
  },
  gradient: ({ inputs, attrs }, dy, o) =>
    o.split(
      dy,
      inputs.map((x) => x.shape[axisOf(attrs)]!),
      axisOf(attrs),
    ),
  reference: (inputs, attrs, out) => {
    const axis = axisOf(attrs);
    const [outer, total, inner] = around(out.shape, axis);
    const result = new Float64Array(sizeOf(out.shape));
    let start = 0;
    for (const { values, shape } of inputs) {
      const length = shape[axis]! * inner;
      for (let o = 0; o < outer; o++) result.set(values.subarray(o * length, (o + 1) * length), (o * total + start) * inner);
      start += shape[axis]!;
    }
    return result;
  },
};
