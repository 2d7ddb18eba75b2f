import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Tensor } from "../../../graph.js";
import * as o from "../../../ops/index.js";
import { type ConformanceCase, EXACT, sample } from "../../case.js";

/** One case per operation: elements of four bytes, two and one. */
function moves(name: string, build: (x: (shape: readonly number[], seed?: number) => Tensor) => readonly Tensor[]): ConformanceCase {
  const of = (d: Device, dtype: DType) => build((shape, seed) => sample(d, shape, dtype, seed));
  return { name, build: (d) => (["f32", "bf16", "u8"] as const).flatMap((dtype) => of(d, dtype)), tolerance: EXACT };
}

export const movement: readonly ConformanceCase[] = [
  moves("reshape: contiguous, after a transpose, to a scalar, of nothing", (x) => [
    o.reshape(x([6, 5]), [3, 10]),
    o.reshape(o.transpose(x([4, 5, 3])), [5, 12]),
    o.reshape(x([1, 1]), []),
    o.reshape(x([0, 3]), [5, 0]),
  ]),
  moves("transpose: every order", (x) => [
    o.transpose(x([5, 7])),
    o.transpose(x([3, 4, 5]), [1, 2, 0]),
    o.transpose(x([2, 3, 4, 5]), [0, 2, 1, 3]),
  ]),
  moves("broadcast: rows, columns, scalars", (x) => [
    o.broadcastTo(x([1, 5]), [3, 5]),
    o.broadcastTo(x([3, 1]), [2, 3, 4]),
    o.broadcastTo(x([]), [7]),
  ]),
  moves("slice: offsets, steps, nothing", (x) => [
    o.slice(x([5, 7]), [
      [1, 4],
      [2, 7],
    ]),
    o.slice(x([4, 5, 9]), [[1, 3], undefined, [2, 9]], [1, 2, 3]),
    o.slice(x([5, 7]), [[2, 2]]),
  ]),
  moves("flip: each axis, both", (x) => [o.flip(x([5, 7]), [0]), o.flip(x([5, 7]), [1]), o.flip(x([3, 2, 5]), [0, 2])]),
  moves("pad: both sides, inside axes", (x) => [
    o.pad(x([2, 3]), [1, 0], [0, 2], 1),
    o.pad(x([5]), [2], [3]),
    o.pad(x([2, 1, 3]), [0, 1, 1], [1, 0, 1], 1),
    o.pad(x([0]), [2], [1], 1),
  ]),
  moves("concat: along any axis, of one, with nothing", (x) => [
    o.concat([x([2, 3]), x([5, 3], 2)]),
    o.concat([x([2, 3]), x([2, 4], 2), x([2, 1], 3)], 1),
    o.concat([x([3, 1, 5]), x([3, 2, 5], 2)], 1),
    o.concat([x([0, 2]), x([1, 2])]),
  ]),
  {
    name: "concat: more parts than one dispatch may bind",
    build: (d) =>
      o.concat(
        Array.from({ length: 29 }, (_, i) => sample(d, [3, 1 + (i % 3)], "bf16", i + 1)),
        1,
      ),
    tolerance: EXACT,
  },
  {
    name: "pad: with infinity",
    build: (d) => o.pad(d.tensor([1, 2]), [1], [1], -Infinity),
    tolerance: EXACT,
    expected: [[-Infinity, 1, 2, -Infinity]],
  },
];
