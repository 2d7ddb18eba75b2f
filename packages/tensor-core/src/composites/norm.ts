import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { add, exp, mul, rsqrt, square, stopGradient, sub, div } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { max, mean, sum } from "../ops/reduce.js";
import { layerNormGradients, rmsNormGradients } from "./norm-backward.js";

const last = { axes: [-1], keepDims: true };

/** `rmsNorm`: weight · x / √(mean(x²) + eps) over the last axis, computed in f32. Inputs x […, n], weight [n]; attribute `eps`. @see Zhang & Sennrich 2019; transformers LlamaRMSNorm */
const RMS_NORM: Composite = {
  name: "rmsNorm",
  decompose: ([x, weight], attrs) => {
    const wide = cast(x!, "f32");
    const normed = mul(wide, rsqrt(add(mean(square(wide), last), attrs.eps as number)));
    return [mul(weight!, cast(normed, x!.dtype))];
  },
  vjp: (inputs, attrs, _outputs, [dy]) => rmsNormGradients(inputs, attrs, dy!),
};

/** x / √(mean(x²) + eps) · weight over the last axis. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  return callComposite(RMS_NORM, [x, weight], { eps })[0]!;
}

/** `layerNorm`: (x - mean) / √(var + eps) · weight + bias over the last axis, biased variance, f32. Inputs x […, n], weight [n], bias [n]; attribute `eps`. @see Ba et al. 2016; torch F.layer_norm */
const LAYER_NORM: Composite = {
  name: "layerNorm",
  decompose: ([x, weight, bias], attrs) => {
    const wide = cast(x!, "f32");
    const centred = sub(wide, mean(wide, last));
    const normed = mul(centred, rsqrt(add(mean(square(centred), last), attrs.eps as number)));
    return [cast(add(mul(normed, weight!), bias!), x!.dtype)];
  },
  vjp: (inputs, attrs, _outputs, [dy]) => layerNormGradients(inputs, attrs, dy!),
};

/** (x − mean) / √(variance + eps) · weight + bias over the last axis. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  return callComposite(LAYER_NORM, [x, weight, bias], { eps })[0]!;
}

/** `softmax`: exp(x - max) / Σ exp(x - max) over the last axis. A row of only -Infinity gives NaN, as torch. */
const SOFTMAX: Composite = {
  name: "softmax",
  decompose: ([x]) => {
    const e = exp(sub(x!, stopGradient(max(x!, last))));
    return [div(e, sum(e, last))];
  },
  vjp: (_, __, [y], [dy]) => [mul(y!, sub(dy!, sum(mul(dy!, y!), last)))],
};

/** exp(x − max x) / Σ exp(x − max x) over the last axis. */
export function softmax(x: Tensor): Tensor {
  return callComposite(SOFTMAX, [x])[0]!;
}
