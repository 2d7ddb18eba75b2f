import { callComposite, type Composite } from "../composite.js";
import { isFloat } from "../dtype.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { iota } from "../ops/create.js";
import { equal, greater, less, logicalAnd, logicalOr, notEqual, where } from "../ops/elementwise.js";
import { concat } from "../ops/movement.js";
import { max, min, sum } from "../ops/reduce.js";
import { sizeOf } from "../shape.js";

const last = { axes: [-1], keepDims: true };

/**
 * `topK`: the `k` largest elements of each row in falling order, and where they are. Of equal ones that with the lower index comes first. NaN
 * counts as ∞, so that it is seen.
 *
 * Input x [.., n]; attribute `k`. Outputs: values [.., k] of the dtype of x, indices [.., k] i32.
 * @see torch.topk (whose order of equal elements is left open)
 */
const TOP_K: Composite = {
  name: "topK",
  indices: () => [],
  flops: ([x], [values]) => values!.shape.at(-1)! * sizeOf(x!.shape),
  decompose: ([x], attrs) => {
    const n = x!.shape.at(-1)!;
    const float = isFloat(x!.dtype);
    const plain = cast(x!, float ? "f32" : "i32");
    const keys = float ? where(notEqual(plain, plain), Infinity, plain) : plain;
    const place = iota(x!.shape, x!.shape.length - 1);
    const values: Tensor[] = [];
    const indices: Tensor[] = [];
    // Each is the largest of those that come after the one before: smaller, or equal with a higher index.
    let open: Tensor | undefined;
    for (let i = 0; i < (attrs.k as number); i++) {
      const top = max(open ? where(open, keys, float ? -Infinity : -(2 ** 31)) : keys, last);
      const hit = equal(keys, top);
      const at = min(where(open ? logicalAnd(open, hit) : hit, place, n), last);
      values.push(sum(where(equal(place, at), plain, 0), last));
      indices.push(at);
      open = logicalOr(less(keys, top), logicalAnd(hit, greater(place, at)));
    }
    return [cast(concat(values, -1), x!.dtype), concat(indices, -1)];
  },
};

/** @see TOP_K @throws ShapeError if `k` is not a whole number from 1 to the length of the last axis */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const n = x.shape.at(-1) ?? 0;
  if (!Number.isInteger(k) || k < 1 || k > n)
    throw new ShapeError(`topK: k must be a whole number from 1 to ${n}, the length of the last axis of [${x.shape}]; got ${k}`);
  const [values, indices] = callComposite(TOP_K, [x], { k }) as [Tensor, Tensor];
  return { values, indices };
}
