import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { add, mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape, swapLast } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import type { Attrs } from "../attrs.js";
import { sizeOf } from "../shape.js";

/**
 * `loraLinearBackward`: the gradient of `loraLinear` with respect to x, dx = dy·W + s·(dy·B)·A.
 *
 * Inputs dy [.., out], W [out, in], A [r, in], B [out, r]. Attributes `scale` s, `dtype` that of x.
 */
const LORA_LINEAR_BACKWARD: Composite = {
  name: "loraLinearBackward",
  flops: ([dy, w, a]) => 2 * dy!.shape[0]! * (sizeOf(w!.shape) + a!.shape[0]! * (w!.shape[0]! + w!.shape[1]!)),
  decompose: ([dy, weight, a, b], attrs) => {
    const low = matmul(matmul(cast(dy!, b!.dtype), b!), a!);
    return [cast(add(matmul(dy!, weight!), mul(low, attrs.scale as number)), attrs.dtype as "f32")];
  },
};

/**
 * `loraFactorGradients`: the gradients of `loraLinear` with respect to A and B, dA = s·(dy·B)ᵀ·x and dB = s·dyᵀ·(x·Aᵀ). Apart from
 * `loraLinearBackward`, since below the first adapted layer nobody needs dx.
 *
 * Inputs dy [n, out], x [n, in], A [r, in], B [out, r]. Attribute `scale` s. Outputs dA, dB like A, B.
 */
const LORA_FACTOR_GRADIENTS: Composite = {
  name: "loraFactorGradients",
  flops: ([dy, x, a]) => 4 * a!.shape[0]! * (sizeOf(dy!.shape) + sizeOf(x!.shape)),
  decompose: ([dy, x, a, b], attrs) => {
    const scale = attrs.scale as number;
    const [dyNarrow, xNarrow] = [cast(dy!, b!.dtype), cast(x!, a!.dtype)];
    const da = matmul(swapLast(matmul(dyNarrow, b!)), xNarrow);
    const db = matmul(swapLast(dyNarrow), matmul(xNarrow, swapLast(a!)));
    return [cast(mul(da, scale), a!.dtype), cast(mul(db, scale), b!.dtype)];
  },
};

/** The rule of `loraLinear`; what nobody needs, such as the gradient of a frozen W, is never computed. */
export function loraLinearGradients(inputs: readonly Tensor[], attrs: Attrs, dy: Tensor): Tensor[] {
  const [x, weight, a, b, bias] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor | undefined];
  const [out, features] = weight.shape as [number, number];
  const scale = attrs.scale as number;
  const count = x.shape.slice(0, -1).reduce((n, d) => n * d, 1);
  const [dyRows, xRows] = [reshape(dy, [count, out]), reshape(x, [count, features])];
  const dx = callComposite(LORA_LINEAR_BACKWARD, [dyRows, weight, a, b], { scale, dtype: x.dtype })[0]!;
  return [
    reshape(dx, x.shape),
    cast(matmul(swapLast(dyRows), xRows), weight.dtype),
    ...callComposite(LORA_FACTOR_GRADIENTS, [dyRows, xRows, a, b], { scale }),
    ...(bias ? [cast(sum(dyRows, { axes: [0] }), bias.dtype)] : []),
  ];
}
