import { ShapeError } from "../errors.js";
import { contiguousStrides, sizeOf } from "../shape.js";
import { numbersOf } from "./attributes.js";
import { hull } from "./bounds.js";
import type { Primitive } from "./primitive.js";

/** a constant before and after each axis. Attributes `low` and `high`, elements before and after each axis, and `value`. */
export const pad: Primitive = {
  name: "pad",
  group: "movement",
  infer: ([x], attrs) => {
    const [low, high] = [numbersOf(attrs, "low"), numbersOf(attrs, "high")];
    if ([...low, ...high].some((n) => n < 0)) throw new ShapeError(`pad: amounts must not be negative, got [${low}] and [${high}]`);
    return { shape: x!.shape.map((d, i) => d + low[i]! + high[i]!), dtype: x!.dtype };
  },
  bounds: ([x], { value }) => hull([x!, { least: value as number, most: value as number }]),
  gradient: ({ inputs: [x], attrs }, dy, o) => {
    const low = numbersOf(attrs, "low");
    return [
      o.slice(
        dy,
        x!.shape.map((d, i) => [low[i]!, low[i]! + d]),
      ),
    ];
  },
  reference: ([x], attrs, out) => {
    const low = numbersOf(attrs, "low");
    const result = new Float64Array(sizeOf(out.shape)).fill(attrs.value as number);
    const from = contiguousStrides(x!.shape);
    const to = contiguousStrides(out.shape);
    x!.values.forEach((v, at) => {
      let target = 0;
      for (let axis = 0; axis < from.length; axis++) target += ((Math.floor(at / from[axis]!) % x!.shape[axis]!) + low[axis]!) * to[axis]!;
      result[target] = v;
    });
    return result;
  },
};
