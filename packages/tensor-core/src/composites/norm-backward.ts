import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { add, mul, rsqrt, square, sub } from "../ops/elementwise.js";
import { reshape } from "../ops/movement.js";
import { mean, sum } from "../ops/reduce.js";
import type { Attrs } from "../attrs.js";
import { sizeOf } from "../shape.js";

const last = { axes: [-1], keepDims: true };

/**
 * `normWeightGradient`: the gradient of a normalisation's weight, dw = Σ over rows of dy·(x - μ)·ρ, and of its bias, db = Σ dy, in f32.
 *
 * Inputs x and dy [.., n], ρ [.., 1] (1 / standard deviation, f32) and, where the normalisation takes the mean away, μ [.., 1] (f32).
 * Attribute `dtype` of the results. Outputs dw [n] and, with μ, db [n].
 */
const NORM_WEIGHT_GRADIENT: Composite = {
  name: "normWeightGradient",
  flops: ([x]) => 4 * sizeOf(x!.shape),
  decompose: ([x, dy, scale, centre], attrs) => {
    const n = x!.shape.at(-1)!;
    const over = (t: Tensor): Tensor => cast(sum(reshape(t, [n === 0 ? 0 : t.size / n, n]), { axes: [0] }), attrs.dtype as "f32");
    const [wide, dyWide] = [cast(x!, "f32"), cast(dy!, "f32")];
    const dw = over(mul(dyWide, mul(centre ? sub(wide, centre) : wide, scale!)));
    return centre ? [dw, over(dyWide)] : [dw];
  },
};

/**
 * The rule of `rmsNorm`: with x̂ = x·ρ and g = dy·w, dx = ρ·(g - x̂·mean(g·x̂)). One program over the rows, which gives ρ to dw.
 * @see Zhang & Sennrich 2019, section 4
 */
export function rmsNormGradients([x, weight]: readonly Tensor[], attrs: Attrs, dy: Tensor): Tensor[] {
  const wide = cast(x!, "f32");
  const scale = rsqrt(add(mean(square(wide), last), attrs.eps as number));
  const normed = mul(wide, scale);
  const g = mul(cast(dy, "f32"), weight!);
  const dx = mul(scale, sub(g, mul(normed, mean(mul(g, normed), last))));
  return [cast(dx, x!.dtype), ...callComposite(NORM_WEIGHT_GRADIENT, [x!, dy, scale], { dtype: weight!.dtype })];
}

/**
 * The rule of `layerNorm`: with x̂ = (x - μ)·ρ and g = dy·w, dx = ρ·(g - mean(g) - x̂·mean(g·x̂)). One program over the rows.
 * @see torch `native_layer_norm_backward`
 */
export function layerNormGradients([x, weight]: readonly Tensor[], attrs: Attrs, dy: Tensor): Tensor[] {
  const wide = cast(x!, "f32");
  const centre = mean(wide, last);
  const centred = sub(wide, centre);
  const scale = rsqrt(add(mean(square(centred), last), attrs.eps as number));
  const normed = mul(centred, scale);
  const g = mul(cast(dy, "f32"), weight!);
  const dx = mul(scale, sub(sub(g, mean(g, last)), mul(normed, mean(mul(g, normed), last))));
  return [cast(dx, x!.dtype), ...callComposite(NORM_WEIGHT_GRADIENT, [x!, dy, scale, centre], { dtype: weight!.dtype })];
}
