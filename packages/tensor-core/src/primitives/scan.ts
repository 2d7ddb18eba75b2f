import { whole } from "../box.js";
import { isFloat } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import { sameShape } from "../shape.js";
import type { TensorSpec } from "../tensor-spec.js";
import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import { max } from "./max.js";
import type { Ops } from "./ops.js";
import type { Primitive } from "./primitive.js";

/** Each element replaced by the one that comes after it in the direction of the scan; the last one by 0. */
function following<T extends TensorSpec>(x: T, axis: number, reverse: boolean, o: Ops<T>): T {
  const n = x.shape[axis]!;
  const zeros = x.shape.map(() => 0);
  const one = x.shape.map((_, i) => (i === axis ? 1 : 0));
  const grown = reverse ? o.pad(x, one, zeros) : o.pad(x, zeros, one);
  return o.slice(
    grown,
    x.shape.map((_, i) => (i === axis ? (reverse ? [0, n] : [1, n + 1]) : undefined)),
  );
}

/** g with g_i = dy_i + a_{i+1}·g_{i+1}: what reaches element i through all later ones. */
function carriedBack<T extends TensorSpec>(a: T, dy: T, axis: number, reverse: boolean, o: Ops<T>): T {
  return o.linearScan(following(a, axis, reverse, o), dy, axis, !reverse);
}

/**
 * Running sum or maximum of x, or h_i = a_i·h_{i-1} + b_i, along an axis.
 * Input x, or a and b for `linear`; attributes `how` ("sum", "max", or "linear"), `axis`, and `reverse`: from the end. The first element of the result is that of x
 * or b. A maximum so far is NaN from the first NaN on; its gradient goes to the latest of equal elements (as torch.cummax).
 * `linear` is the recurrence of selective state spaces. @see Gu & Dao 2023 (Mamba); Blelloch 1990, "Prefix sums and their applications"
 */
export const scan: Primitive = {
  name: "scan",
  group: "scan",
  infer: ([x, b], attrs) => {
    if (attrs.how !== "linear") return x!;
    if (!sameShape(x!.shape, b!.shape)) throw new ShapeError(`scan: factors [${x!.shape}] and terms [${b!.shape}] differ in shape`);
    if (x!.dtype !== b!.dtype || !isFloat(x!.dtype))
      throw new DTypeError(`scan: expected factors and terms of one float dtype, got ${x!.dtype} and ${b!.dtype}`);
    return x!;
  },
  gradient: ({ inputs: [x], output, attrs }, dy, o) => {
    const [axis, reverse] = [axisOf(attrs), attrs.reverse as boolean];
    if (attrs.how === "sum") return [o.cumsum(dy, axis, !reverse)];
    if (attrs.how === "linear") {
      const g = carriedBack(x!, dy, axis, reverse, o);
      return [o.mul(g, following(output, axis, !reverse, o)), g];
    }
    // A new maximum takes what comes until the next one.
    const fresh = o.cast(o.equal(x!, output), x!.dtype);
    return [o.mul(fresh, carriedBack(o.sub(1, fresh), dy, axis, reverse, o))];
  },
  slice: ({ inputs, output: { shape }, attrs }, box) => {
    const axis = axisOf(attrs);
    if (box.every(({ size }, i) => i === axis || size === shape[i])) return undefined;
    const taken = box.map((range, i) => (i === axis ? whole(shape[i]!) : range));
    return { boxes: inputs.map(() => taken), within: box.map((range, i) => (i === axis ? range : whole(range.size))) };
  },
  reference: ([x, b], attrs) => {
    const [outer, n, inner] = around(x!.shape, axisOf(attrs));
    const result = (b ?? x!).values.slice();
    const by = attrs.reverse ? -inner : inner;
    for (let line = 0; line < outer * inner; line++) {
      const first = Math.floor(line / inner) * n * inner + (line % inner) + (attrs.reverse ? (n - 1) * inner : 0);
      for (let i = 1; i < n; i++) {
        const at = first + i * by;
        const before = result[at - by]!;
        if (attrs.how === "sum") result[at]! += before;
        else if (attrs.how === "max") result[at] = max.f64(before, result[at]!);
        else result[at]! += x!.values[at]! * before;
      }
    }
    return result;
  },
};
