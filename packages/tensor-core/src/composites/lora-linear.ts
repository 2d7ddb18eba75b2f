import { callComposite, type Composite } from "../composite.js";
import { assertDType, type DType, isFloat } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { add, mul } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { type Range, whole } from "../box.js";
import { linear, matmul } from "../ops/linear.js";
import { swapLast as swap } from "../ops/movement.js";
import { loraLinearGradients } from "./lora-linear-backward.js";
import { sizeOf } from "../shape.js";

/**
 * `loraLinear`: y = x·Wᵀ (+ bias) + s·(x·Aᵀ)·Bᵀ, the sum in the promoted dtype, cast back to the dtype of the base result.
 *
 * Inputs x [.., in], W [out, in], A [r, in], B [out, r], and bias [out] if `bias`. Attribute `scale` s.
 * @see Hu et al. 2021 (LoRA), eq. 3; peft `tuners/lora/layer.py` Linear.forward
 */
const LORA_LINEAR: Composite = {
  name: "loraLinear",
  flops: ([x, w, a]) =>
    2 * (sizeOf(x!.shape) * w!.shape[0]! + (sizeOf(x!.shape) / a!.shape[1]!) * a!.shape[0]! * (a!.shape[1]! + w!.shape[0]!)),
  decompose: ([x, weight, a, b, bias], attrs) => {
    const base = linear(x!, weight!, bias);
    const low = linear(linear(cast(x!, a!.dtype), a!), b!);
    return [cast(add(base, mul(low, attrs.scale as number)), base.dtype)];
  },
  vjp: (inputs, attrs, _outputs, [dy]) => loraLinearGradients(inputs, attrs, dy!),
};

/** @see LORA_LINEAR */
export function loraLinear(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: number, bias?: Tensor): Tensor {
  return callComposite(LORA_LINEAR, bias ? [x, weight, a, b, bias] : [x, weight, a, b], { scale })[0]!;
}

/**
 * `mergeLowRank`: W' = round(W + Δ) with Δ = s·B·A in f32 (product first, then scale), in the dtype `dtype`.
 *
 * Inputs W [out, in] (or [in, out] with `transposed`), A [r, in], B [out, r]. Attribute `deltaDtype`: Δ is rounded to it before
 * the sum. PEFT's in-place merge with an f32 adapter is `f32` (one rounding); `safe_merge`, and adapters computed
 * with in bf16 or f16, round Δ to that dtype first (two roundings).
 * @see peft `tuners/lora/layer.py` Linear.merge, get_delta_weight
 */
const MERGE_LOW_RANK: Composite = {
  name: "mergeLowRank",
  flops: ([w, a]) => 2 * sizeOf(w!.shape) * (a!.shape[0]! + 1),
  decompose: ([weight, a, b], attrs) => {
    const [A, B] = [cast(a!, "f32"), cast(b!, "f32")];
    const product = attrs.transposed ? matmul(swap(A), swap(B)) : matmul(B, A);
    const delta = cast(mul(product, attrs.scale as number), attrs.deltaDtype as "f32");
    return [cast(add(cast(weight!, "f32"), cast(delta, "f32")), attrs.dtype as "f32")];
  },
  slice({ inputs: [, a], attrs }, box) {
    const [rows, columns] = (attrs.transposed ? [box[1], box[0]] : box) as [Range, Range];
    const rank = whole(a!.shape[0]!);
    return {
      boxes: [box, [rank, columns], [rows, rank]],
    };
  },
};

/** Which adapters are merged, and how the result is rounded. */
export interface MergeOptions {
  readonly scale: number;
  /** Dtype of the result; that of the weight if not given. */
  readonly dtype?: DType;
  /** Dtype that Δ is rounded to before it is added. */
  readonly deltaDtype?: DType;
  /** The weight is stored [in, out] (Conv1D, `fan_in_fan_out`). */
  readonly transposed?: boolean;
}

/** What a tensor was before it was widened to f32, which the composite does by itself. */
const narrow = (t: Tensor): Tensor =>
  t.node.op === "cast" && !t.node.computed && t.dtype === "f32" && isFloat(t.node.inputs[0]!.dtype) ? t.node.inputs[0]! : t;

/** @see MERGE_LOW_RANK */
export function mergeLowRank(weight: Tensor, a: Tensor, b: Tensor, options: MergeOptions): Tensor {
  const { dtype = weight.dtype, deltaDtype = "f32" } = options;
  for (const named of [dtype, deltaDtype]) assertDType(named);
  const attrs = {
    scale: options.scale,
    dtype,
    deltaDtype,
    transposed: options.transposed ?? false,
  };
  return callComposite(MERGE_LOW_RANK, [weight, a, b].map(narrow), attrs)[0]!;
}
