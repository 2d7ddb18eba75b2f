import { whole } from "../../box.js";
import { around } from "../../primitives/around.js";
import { axisOf } from "../../primitives/attributes.js";
import type { Primitive } from "../../primitives/primitive.js";

/**
 * Elements moved along an axis, those that leave it come in again in front.
 * docs/adding-a-primitive.md followed once. Attributes `axis` and `by` (0 … length - 1): element i moves to i + by, round the end.
 */
export const roll: Primitive = {
  name: "roll",
  group: "movement",
  infer: ([x]) => x!,
  gradient: ({ inputs: [x], attrs }, dy, o) => {
    const [axis, by] = [axisOf(attrs), attrs.by as number];
    const [front, rest] = o.split(dy, [by, x!.shape[axis]! - by], axis) as [typeof dy, typeof dy];
    const none = dy.shape.map(() => 0);
    const room = (n: number): number[] => dy.shape.map((_, i) => (i === axis ? n : 0));
    return [o.add(o.pad(rest, none, room(by)), o.pad(front, room(x!.shape[axis]! - by), none))];
  },
  slice: ({ output: { shape }, attrs }, box) => {
    const axis = axisOf(attrs);
    if (box.every(({ size }, i) => i === axis || size === shape[i])) return undefined;
    return {
      boxes: [box.map((range, i) => (i === axis ? whole(shape[i]!) : range))],
      within: box.map((range, i) => (i === axis ? range : whole(range.size))),
    };
  },
  reference: ([x], attrs) => {
    const [, n, inner] = around(x!.shape, axisOf(attrs));
    const from = (at: number): number => {
      const i = Math.floor(at / inner) % n;
      return at + (((i - (attrs.by as number) + n) % n) - i) * inner;
    };
    return x!.values.map((_, at) => x!.values[from(at)]!);
  },
  flops: () => 0,
};
