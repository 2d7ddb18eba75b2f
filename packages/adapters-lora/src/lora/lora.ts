import { checkRank } from "@weft/tensor-core/methods";
import {
  type AdapterMethod,
  add,
  type BaseLayer,
  biasLike,
  CapabilityError,
  cast,
  conv,
  convLike,
  featuresOf,
  forwardBase,
  gather,
  isConv,
  linear,
  loraLinear,
  mergeLowRank,
  mul,
  type Params,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { invocationMask, invocationStart, invocationTokens, refuseActivated } from "../alora/alora.js";
import { baseChange } from "../init/base-change.js";
import { LORA_FIELDS, type LoraConfigFields } from "./config.js";
import { doraForward, doraTransform } from "./dora.js";
import { type Context, doraDelta, isExperts, loraDelta, loraParameters, plainFactors, scaleOf } from "./factors.js";
import { specialForm } from "./special-form.js";
import { bdLoraAt } from "../variants/bdlora.js";
import { loraVariant, VARIANT_KEYS } from "../variants/variants.js";

/** s·B(A(x)) (+ s·bias). */
function lowRank(x: Tensor, params: Params, context: Context): Tensor {
  const { layer } = context;
  const { A, B, bias } = params;
  const s = scaleOf(context);
  if (layer.kind === "embedding") return mul(linear(gather(swapLast(A!), x, 0), B!), s);
  const input = cast(x, A!.dtype);
  const project = loraVariant(context.config)?.project;
  const low = isConv(layer)
    ? conv(convLike(layer, input, A!, 1), B!, { groups: layer.conv?.groups ?? 1 })
    : linear(project ? project(input, params, context) : linear(input, A!), B!);
  return mul(bias ? add(low, biasLike(layer, bias)) : low, s);
}

function forward(x: Tensor, base: BaseLayer, stored: Params, context: Context, dropout?: (x: Tensor) => Tensor): Tensor {
  const { layer } = context;
  if (layer.kind === "parameter")
    throw new CapabilityError("an adapter on a raw parameter changes the weight; its module has no forward of its own here", {
      hint: "compute with mergeWeight(LORA, weight, params, context)",
    });
  const params = plainFactors(stored, context);
  const dropped = dropout ? dropout(x) : x;
  if (params.magnitude)
    return doraForward(x, base, lowRank(dropped, params, context), doraDelta(stored, context), params, context, dropped);
  if (
    layer.kind === "linear" &&
    !layer.transposed &&
    !base.forward &&
    dropped === x &&
    !params.bias &&
    !loraVariant(context.config)?.project
  )
    return loraLinear(x, base.weight, params.A!, params.B!, scaleOf(context), base.bias);
  const y = forwardBase(layer, base, x);
  return cast(add(y, lowRank(dropped, params, context)), y.dtype);
}

/**
 * LoRA (Hu et al. 2021): W' = W + s·B·A, s = alpha/r (rsLoRA: alpha/√r), for Linear, Conv1D (fan_in_fan_out), Embedding, Conv1d/2d/3d and
 * raw parameters (2-D, or 3-D experts); with `lora_bias`, b' = b + s·b_B; with `use_dora` the direction of W + s·B·A at the learned magnitude.
 * @see peft `tuners/lora/layer.py`, `dora.py`
 */
export const LORA: AdapterMethod<LoraConfigFields> = {
  name: "LORA",
  prefix: "lora_",
  fields: LORA_FIELDS,
  configAt(config, path) {
    const at = bdLoraAt(config, path);
    const isTarget = (name: string): boolean => `.${path}`.endsWith(`.${name}`);
    return config.targetParameters?.some(isTarget) ? { ...at, isParameter: true } : at;
  },
  // PEFT has QA-LoRA for GPTQ weights; on others the option does nothing, and A is whole.
  configFromShapes: (config, layer, { A }) =>
    config.useQalora && A?.[1] === featuresOf(layer).in ? { ...config, useQalora: false } : config,
  checkNew: checkRank,
  parameters: loraParameters,
  keys: ({ kind }): { readonly [name: string]: readonly string[] } => ({
    A: kind === "embedding" ? ["lora_embedding_A"] : ["lora_A.weight"],
    B: kind === "embedding" ? ["lora_embedding_B"] : ["lora_B.weight"],
    bias: ["lora_B.bias"],
    // PEFT before 0.9 wrote it with `.weight`.
    magnitude: ["lora_magnitude_vector", "lora_magnitude_vector.weight"],
    ...VARIANT_KEYS,
  }),
  factors(params, context) {
    const { A, B } = params;
    const plain = A && B && Object.keys(params).length === 2 && !loraVariant(context.config);
    return plain ? { A, B, scale: scaleOf(context) } : undefined;
  },
  active(config) {
    const tokens = invocationTokens(config);
    return tokens && { mask: (inputIds) => invocationMask(inputIds, tokens), start: (ids) => invocationStart(ids, tokens) };
  },
  special: specialForm,
  delta: loraDelta,
  rounding: ({ kind }, { isParameter }) => ({
    merge: kind === "embedding" || kind === "parameter" || isParameter ? "twice" : "once",
    safeMerge: "twice",
  }),
  transform(weight, params, context, unmerged) {
    return params.magnitude && doraTransform(weight, loraDelta(params, context), params, context.layer, unmerged);
  },
  merge(weight, stored, context, { rounding, dtype }) {
    const { layer } = context;
    refuseActivated(context.config);
    if (stored.magnitude || isConv(layer) || isExperts(layer)) return undefined;
    const params = plainFactors(stored, context);
    const rounded = rounding === "twice" ? weight.dtype : params.B!.dtype;
    if (rounding === "twice" && params.B!.dtype !== "f32" && params.B!.dtype !== weight.dtype) return undefined;
    return mergeLowRank(weight, params.A!, params.B!, {
      scale: scaleOf(context),
      dtype,
      deltaDtype: rounded,
      transposed: layer.kind === "embedding" || (layer.transposed ?? false),
    });
  },
  init: async (config, layer, generator, weight) => (await import("../init/on-demand.js")).initLora(config, layer, generator, weight),
  expectedBase: async (config, layer, weight) =>
    baseChange(config) ? (await import("../init/on-demand.js")).residualWeight(config, layer, weight) : weight,
  async removed(config, layer, weight) {
    const params = baseChange(config) && (await (await import("../init/on-demand.js")).removedFactors(config, layer, weight));
    // As plain LoRA: the factors are not those of a variant.
    return params && { params, config: { ...config, useDora: false, loraBias: false, kasaConfig: null } };
  },
  biasDelta: ({ bias }, context) => bias && cast(mul(cast(bias, "f32"), scaleOf(context)), bias.dtype),
  forward,
};
