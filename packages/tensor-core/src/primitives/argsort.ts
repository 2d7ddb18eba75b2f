import { whole } from "../box.js";
import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/**
 * Indices (i32) that put the elements along an axis in order; equal ones stay in theirs.
 * Attributes `axis` and `descending`. NaN counts as larger than all numbers, as in torch.
 */
export const argsort: Primitive = {
  name: "argsort",
  group: "index",
  infer: ([x]) => ({ shape: x!.shape, dtype: "i32" }),
  slice: ({ output: { shape }, attrs }, box) => {
    const axis = axisOf(attrs);
    if (box.every(({ size }, i) => i === axis || size === shape[i])) return undefined;
    return {
      boxes: [box.map((range, i) => (i === axis ? whole(shape[i]!) : range))],
      within: box.map((range, i) => (i === axis ? range : whole(range.size))),
    };
  },
  reference: ([x], attrs) => {
    const [outer, n, inner] = around(x!.shape, axisOf(attrs));
    const result = new Float64Array(x!.values.length);
    const rise = (a: number, b: number): number => (a < b || (a === a && b !== b) ? -1 : a > b || (a !== a && b === b) ? 1 : 0);
    for (let line = 0; line < outer * inner; line++) {
      const at = (i: number): number => (Math.floor(line / inner) * n + i) * inner + (line % inner);
      const value = (i: number): number => x!.values[at(i)]!;
      const order = Array.from({ length: n }, (_, i) => i).sort((i, j) =>
        attrs.descending ? rise(value(j), value(i)) : rise(value(i), value(j)),
      );
      order.forEach((from, i) => (result[at(i)] = from));
    }
    return result;
  },
};
