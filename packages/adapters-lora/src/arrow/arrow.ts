import {
  abs,
  add,
  type AdapterMethod,
  cast,
  div,
  forwardBase,
  greater,
  less,
  linear,
  matmul,
  mul,
  norm,
  reshape,
  softmax,
  sum,
  swapLast,
  type Tensor,
  tensor,
  torchGenerator,
  torchNormal,
  where,
} from "@weft/tensor-core";
import { ARROW_FIELDS, type ArrowFields } from "../lora/sub-configs.js";

const ITERATIONS = 15;
const EPSILON = 1e-8;
/** Below any score: its exponential is 0. */
const OUT = -1e30;

/** Nearly the first right singular vector [in] of B·A, by PEFT's power iteration from a drawn start. Its sign means nothing. */
export function arrowPrototype(A: Tensor, B: Tensor, seed: number): Tensor {
  const [a, b] = [cast(A, "f32"), cast(B, "f32")];
  const inner = matmul(swapLast(b), b);
  const unit = (v: Tensor): Tensor => div(v, add(norm(v), EPSILON));
  const size = a.shape[1]!;
  let v = unit(tensor(torchNormal(torchGenerator(seed), size), { shape: [size, 1] }));
  for (let i = 0; i < ITERATIONS; i++) v = unit(matmul(swapLast(a), matmul(inner, matmul(a, v))));
  return reshape(v, [size]);
}

/**
 * Arrow (Ostapenko et al. 2024): y + Σ_e c_e·s_e·B_e·A_e·x over LoRAs of one rank, c a softmax per token over the `top_k` largest |x·p_e| (divided by
 * `router_temperature`), p_e the prototypes. Parameters of a layer: `prototypes` [E, in], `A` [E·r, in] and `B` [out, E·r] of all experts one behind the
 * other, `scales` [E]. They are those of other adapters: nothing here is trained or saved. Linear layers.
 * @see peft `tuners/lora/arrow.py`
 */
export const ARROW: AdapterMethod<ArrowFields> = {
  name: "ARROW",
  prefix: "lora_",
  fields: ARROW_FIELDS,
  unmergeable: "each token has its own mixture of adapters",
  parameters: () => ({}),
  keys: () => ({}),
  forward(x, base, { prototypes, A, B, scales }, { layer, config, scale }) {
    const y = forwardBase(layer, base, x);
    const [experts, inputs] = prototypes!.shape as [number, number];
    const rows = cast(reshape(x, [-1, inputs]), A!.dtype);
    const scores = abs(linear(rows, prototypes!));
    const [one, other] = [reshape(scores, [-1, experts, 1]), reshape(scores, [-1, 1, experts])];
    const larger = sum(cast(greater(other, one), "f32"), { axes: [2] });
    const chances = softmax(where(less(larger, config.topK), mul(scores, 1 / config.routerTemperature), OUT));
    const strengths = mul(mul(chances, scales!), scale);
    const hidden = reshape(linear(rows, A!), [-1, experts, A!.shape[0]! / experts]);
    const mixed = linear(reshape(mul(hidden, reshape(strengths, [-1, experts, 1])), [-1, A!.shape[0]!]), B!);
    return cast(add(y, reshape(mixed, y.shape)), y.dtype);
  },
};
