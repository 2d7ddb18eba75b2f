import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { add, div, equal, mul, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { linear, matmul } from "../ops/linear.js";
import { concat, reshape, rows, swapLast } from "../ops/movement.js";
import { norm } from "../ops/reduce.js";

/** Elements of W + s·B·A that exist at a time. */
const TILE = 2 ** 20;

const wide = (t: Tensor): Tensor => cast(t, "f32");

/**
 * `weightNorm`: the norm of each row of W + s·B·A, which DoRA divides by, in f32. The sum exists only tile by tile: expanding the square
 * into ‖W‖² + 2s⟨W, BA⟩ + s²‖BA‖² would need no tiles, but loses all digits where the update cancels the weight.
 *
 * Inputs W [out, in], A [r, in], B [out, r]; attribute `scale` s; result [out]. A row of zeros has gradient 0, as in torch.
 * @see Liu et al. 2024 (DoRA), eq. 5; peft `tuners/lora/dora.py` get_weight_norm
 */
const WEIGHT_NORM: Composite = {
  name: "weightNorm",
  decompose: ([weight, a, b], attrs) => {
    const [out, width] = weight!.shape as [number, number];
    const step = Math.max(1, Math.floor(TILE / width));
    const tiles = Array.from({ length: Math.max(1, Math.ceil(out / step)) }, (_, t) => {
      const part = (m: Tensor): Tensor => rows(m, t * step, Math.min(out, (t + 1) * step));
      return norm(add(wide(part(weight!)), mul(matmul(wide(part(b!)), wide(a!)), attrs.scale as number)), { axes: [1] });
    });
    return [concat(tiles)];
  },
  // With g = dn/n per row: dV = g·V for V = W + s·B·A, and products with V are taken apart so that only dW is as large as W.
  vjp: ([weight, a, b], attrs, [n], [dn]) => {
    const scale = attrs.scale as number;
    const [W, A, B] = [wide(weight!), wide(a!), wide(b!)];
    const g = reshape(where(equal(n!, 0), 0, div(dn!, where(equal(n!, 0), 1, n!))), [-1, 1]);
    const Bg = swapLast(mul(B, g));
    const dA = mul(add(matmul(Bg, W), mul(matmul(matmul(Bg, B), A), scale)), scale);
    const dB = mul(mul(add(linear(W, A), mul(matmul(B, linear(A, A)), scale)), g), scale);
    const dW = mul(add(W, mul(matmul(B, A), scale)), g);
    return [cast(dW, weight!.dtype), cast(dA, a!.dtype), cast(dB, b!.dtype)];
  },
};

/** @see WEIGHT_NORM @throws ShapeError if the three shapes do not fit */
export function weightNorm(weight: Tensor, a: Tensor, b: Tensor, scale: number): Tensor {
  const [out, width] = weight.shape;
  const fits = [weight, a, b].every((t) => t.shape.length === 2) && a.shape[1] === width && b.shape[0] === out && b.shape[1] === a.shape[0];
  if (!fits)
    throw new ShapeError(`weightNorm: expected W [out, in], A [r, in], B [out, r], got [${weight.shape}], [${a.shape}], [${b.shape}]`);
  return callComposite(WEIGHT_NORM, [weight, a, b], { scale })[0]!;
}
