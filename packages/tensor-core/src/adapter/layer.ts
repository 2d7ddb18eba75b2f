import { layerNorm, rmsNorm } from "../composites/norm.js";
import type { DType } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { ones, zeros } from "../ops/create.js";
import { add, mul, sub } from "../ops/elementwise.js";
import { conv, gather, linear, matmul } from "../ops/linear.js";
import { reshape } from "../ops/movement.js";
import { sizeOf } from "../shape.js";

/**
 * `norm` scales and shifts what it has normalised, by a weight and perhaps a bias [features]. `parameter` is a weight that a module uses
 * directly (raw expert parameters): it has no forward of its own. `attention` (with its projections) and `block` (attention, feed-forward part and
 * norms) are made of layers: they have a forward, and no weight of their own.
 */
export type LayerKind = "linear" | "conv1d" | "conv2d" | "conv3d" | "embedding" | "norm" | "parameter" | "attention" | "block";

/** A layer as adapters see it: described, not subclassed. */
export interface LayerSpec {
  readonly kind: LayerKind;
  /** Shape of the stored weight: linear [out, in] (or [in, out] if `transposed`), conv [out, in/groups, *kernel], embedding [vocabulary, dim], norm [features]; of an attention or a block its width: [features]. */
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly bias: boolean;
  /** The weight is stored [in, out]: transformers' Conv1D, PEFT's `fan_in_fan_out`; for a parameter: `is_transposed`. */
  readonly transposed?: boolean;
  readonly conv?: ConvSpec;
  readonly norm?: NormSpec;
}

/** How a convolution moves over its input, as its layer says it. */
export interface ConvSpec {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** `rms` and `layer` run over the last axis (`rms` over each of `groups` parts of it, if given, and with `offset` added to the weight, in f32, as Gemma has it); `group` over groups of channels at axis 1 and everything behind them. */
export type NormSpec =
  | { readonly kind: "rms"; readonly eps: number; readonly groups?: number; readonly offset?: number }
  | { readonly kind: "layer"; readonly eps: number }
  | { readonly kind: "group"; readonly eps: number; readonly groups: number };

/** The inside of an attention, for adapters that add to it; B rows, H heads, G key-value heads, d features per head. */
export interface AttentionParts {
  /** The queries of an input [B, T, features] as scores are made of them, rotated and normalised: [B, H, T, d]. */
  queries(x: Tensor): Tensor;
  /** Keys of an input [n, T, features] that has no place in the sequence, so without rotary embedding: [n, G, T, d]. */
  keys(x: Tensor): Tensor;
  /** Values [n, G, T, d]. */
  values(x: Tensor): Tensor;
  /** The result [B, T, features] of mixed values [B, H, T, d]. */
  project(mixed: Tensor): Tensor;
}

/** The frozen layer below an adapter. The weight may be dense, or `dequantize` of one packed in any format; methods do not know. */
export interface BaseLayer {
  /** Empty, [0], where the layer has none of its own. */
  readonly weight: Tensor;
  readonly bias?: Tensor | undefined;
  /** The base result, for weights that have a product of their own (quantised ones). */
  readonly forward?: (x: Tensor) => Tensor;
  /** Of an attention. */
  readonly attention?: AttentionParts;
}

/** Whether a layer is a convolution of one, two or three dimensions. */
export const isConv = (layer: LayerSpec): boolean => layer.kind === "conv1d" || layer.kind === "conv2d" || layer.kind === "conv3d";

/** Features in and out: linear as named, conv channels (in over all groups), embedding vocabulary → dim. */
export function featuresOf(layer: LayerSpec): { in: number; out: number } {
  if (layer.shape.length === 1) return { in: layer.shape[0]!, out: layer.shape[0]! };
  const [first, second] = layer.shape.slice(layer.kind === "parameter" ? -2 : 0) as [number, number];
  if (layer.kind === "embedding") return { in: first, out: second };
  if (isConv(layer)) return { in: second * (layer.conv?.groups ?? 1), out: first };
  return layer.transposed ? { in: first, out: second } : { in: second, out: first };
}

/** The layer's weight seen as [out, in·∏kernel] (linear [in, out] not turned): rows of a convolution are its filters. */
export function matrixShape(layer: LayerSpec): [number, number] {
  return [layer.shape[0]!, sizeOf(layer.shape.slice(1))];
}

/** A convolution with the geometry of `layer`. */
export function convLike(layer: LayerSpec, x: Tensor, weight: Tensor, groups: number = layer.conv?.groups ?? 1): Tensor {
  const { stride, padding, dilation } = layer.conv ?? { stride: 1, padding: 0, dilation: 1 };
  return conv(x, weight, { stride, padding, dilation, groups });
}

/** A bias [out] in the place that it has in the layer's result (channels of a convolution lie at axis 1). */
export function biasLike(layer: LayerSpec, bias: Tensor): Tensor {
  return isConv(layer) ? reshape(bias, [-1, ...layer.shape.slice(2).map(() => 1)]) : bias;
}

function normalise({ norm: spec, shape }: LayerSpec, x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  if (!spec) throw new ShapeError(`a norm layer [${shape}] needs its kind and eps in \`norm\``);
  if (spec.kind === "layer") return layerNorm(x, weight, bias ?? zeros(shape), spec.eps);
  if (spec.kind === "rms") {
    if (spec.offset) return cast(rmsNorm(cast(x, "f32"), add(cast(weight, "f32"), spec.offset), spec.eps), x.dtype);
    const parts = (t: Tensor): Tensor => reshape(t, [...t.shape.slice(0, -1), spec.groups!, -1]);
    const size = shape[0]! / (spec.groups ?? 1);
    const y =
      spec.groups === undefined ? rmsNorm(x, weight, spec.eps) : mul(reshape(rmsNorm(parts(x), ones([size]), spec.eps), x.shape), weight);
    return bias ? add(y, bias) : y;
  }
  const groups = reshape(x, [x.shape[0]!, spec.groups, -1]);
  const normed = reshape(layerNorm(groups, ones(groups.shape.slice(2)), zeros(groups.shape.slice(2)), spec.eps), x.shape);
  const spread = (t: Tensor): Tensor => reshape(t, [-1, ...x.shape.slice(2).map(() => 1)]);
  return bias ? add(mul(normed, spread(weight)), spread(bias)) : mul(normed, spread(weight));
}

/**
 * Checks what a layer is given, so that an error names the layer instead of an operation inside of it.
 * @throws ShapeError, DTypeError naming the layer, what it expects and what it got
 */
export function assertInput(layer: LayerSpec, x: Tensor, name: string): void {
  const { in: inputs } = featuresOf(layer);
  const refuse = (expected: string): never => {
    throw new ShapeError(`${name}: the input is [${x.shape}], expected ${expected}`, { kind: "input-shape", tensor: name });
  };
  if (layer.kind === "embedding") {
    if (x.dtype !== "i32") throw new DTypeError(`${name}: the input of an embedding is i32, got ${x.dtype}`, { tensor: name });
  } else if (isConv(layer)) {
    const axes = layer.shape.length - 2;
    if (x.shape.length !== axes + 2 || x.shape[1] !== inputs)
      refuse(`[batch, ${inputs}${", size".repeat(axes)}]: in_channels is ${inputs}`);
  } else if (layer.kind === "linear" && x.shape.at(-1) !== inputs) refuse(`[…, ${inputs}]: in_features is ${inputs}`);
}

/** The layer without an adapter, with `weight` in place of its own if given. */
export function forwardBase(layer: LayerSpec, base: BaseLayer, x: Tensor, weight?: Tensor): Tensor {
  if (!weight && base.forward) return base.forward(x);
  if (layer.kind === "attention" || layer.kind === "block") throw new ShapeError(`a layer of kind ${layer.kind} runs by its own forward`);
  const w = weight ?? base.weight;
  if (layer.kind === "embedding") return gather(w, x, 0);
  if (layer.kind === "norm") return normalise(layer, x, w, base.bias);
  if (isConv(layer)) {
    const y = convLike(layer, x, w);
    return base.bias ? add(y, biasLike(layer, base.bias)) : y;
  }
  if (!layer.transposed) return linear(x, w, base.bias);
  const y = matmul(x, w);
  return base.bias ? add(y, base.bias) : y;
}

/** The base's result without its bias; also for a base with a forward of its own, which adds the bias itself. */
export function forwardWithoutBias(layer: LayerSpec, base: BaseLayer, x: Tensor): Tensor {
  if (!base.bias || !base.forward) return forwardBase(layer, { ...base, bias: undefined }, x);
  return sub(base.forward(x), biasLike(layer, base.bias));
}
