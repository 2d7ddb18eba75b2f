import { ShapeError } from "../errors.js";
import type { TensorSpec } from "../tensor-spec.js";
import { numbersOf } from "./attributes.js";
import type { Ops } from "./ops.js";
import type { Primitive } from "./primitive.js";

/** Zeros between the elements along an axis: [n] → [n, s] → [n·s], cut to (n-1)·s + 1. */
function apart<T extends TensorSpec>(x: T, axis: number, s: number, o: Ops<T>): T {
  const n = x.shape[axis]!;
  const wide = o.reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const padded = o.pad(
    wide,
    wide.shape.map(() => 0),
    wide.shape.map((_, i) => (i === axis + 1 ? s - 1 : 0)),
  );
  const flat = o.reshape(
    padded,
    x.shape.map((d, i) => (i === axis ? d * s : d)),
  );
  return o.slice(
    flat,
    flat.shape.map((_, i) => (i === axis ? [0, (n - 1) * s + 1] : undefined)),
  );
}

/** Start, size, step per axis. Attributes `start`, `size`, `step`, a number per axis. */
export const slice: Primitive = {
  name: "slice",
  group: "movement",
  infer: ([x], attrs) => {
    const [start, size, step] = [numbersOf(attrs, "start"), numbersOf(attrs, "size"), numbersOf(attrs, "step")];
    x!.shape.forEach((d, i) => {
      if (start[i]! < 0 || size[i]! < 0 || step[i]! < 1 || (size[i]! > 0 && start[i]! + (size[i]! - 1) * step[i]! >= d)) {
        throw new ShapeError(`slice: axis ${i} has ${d} elements; start ${start[i]}, size ${size[i]}, step ${step[i]} leaves it`);
      }
    });
    return { shape: size, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x], attrs }, dy, o) => {
    const start = numbersOf(attrs, "start");
    let grown = dy;
    numbersOf(attrs, "step").forEach((s, axis) => {
      if (s !== 1) grown = apart(grown, axis, s, o);
    });
    return [
      o.pad(
        grown,
        start,
        x!.shape.map((d, i) => d - start[i]! - grown.shape[i]!),
      ),
    ];
  },
  view: (view, shape, attrs) => {
    const [start, step] = [numbersOf(attrs, "start"), numbersOf(attrs, "step")];
    return {
      shape,
      strides: view.strides.map((s, i) => s * step[i]!),
      offset: view.offset + start.reduce((sum, s, i) => sum + s * view.strides[i]!, 0),
    };
  },
};
