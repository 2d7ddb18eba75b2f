import {
  type AdapterContext,
  type AdapterMethod,
  add,
  type BaseLayer,
  biasLike,
  CapabilityError,
  cast,
  ConfigError,
  conv,
  convLike,
  featuresOf,
  forwardBase,
  gather,
  isConv,
  type LayerSpec,
  linear,
  loraLinear,
  matmul,
  mergeLowRank,
  mul,
  type ParameterSpec,
  type Params,
  reshape,
  swapLast,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import { LORA_FIELDS, type LoraConfigFields, loraScaling } from "./config.js";
import { doraForward, doraTransform, magnitudeShape } from "./dora.js";

type Context = AdapterContext<LoraConfigFields>;

const scaleOf = ({ config, scale }: Context): number => loraScaling(config) * scale;
const isExperts = (layer: LayerSpec): boolean => layer.kind === "parameter" && layer.shape.length === 3;
/** A [r, in], B [out, r] of a stack of experts: A [r·E, in] expert-major, B [out, r·E] rank-major. */
const expertsOf = (layer: LayerSpec): number => (isExperts(layer) ? layer.shape[0]! : 1);

function parameters(config: LoraConfigFields, layer: LayerSpec): { readonly [name: string]: ParameterSpec } {
  const { in: inputs, out } = featuresOf(layer);
  const { r } = config;
  const groups = layer.conv?.groups ?? 1;
  if (r % groups !== 0)
    throw new ConfigError(`LoRA on a convolution with ${groups} groups needs a rank that ${groups} divides, got r = ${r}`);
  if (config.loraBias && (layer.kind === "embedding" || layer.kind === "parameter"))
    throw new ConfigError(`lora_bias is not defined for a layer of kind ${layer.kind}`);
  if (config.useDora && layer.kind === "parameter") throw new ConfigError("use_dora is not defined for target_parameters");
  const spec = (shape: number[], kind: ParameterSpec["init"]): ParameterSpec => ({ shape, init: kind, trainable: true });
  const kernel = isConv(layer) ? layer.shape.slice(2) : [];
  const a = config.initLoraWeights === "gaussian" ? ({ kind: "normal", std: 1 / r } as const) : ({ kind: "kaimingUniform" } as const);
  const rank = r * expertsOf(layer);
  const isEmbedding = layer.kind === "embedding";
  return {
    A: spec([rank, inputs, ...kernel], isEmbedding ? { kind: "zeros" } : a),
    B: spec([out, rank / groups, ...kernel.map(() => 1)], isEmbedding ? { kind: "normal", std: 1 } : { kind: "zeros" }),
    ...(config.loraBias && { bias: spec([out], { kind: "zeros" }) }),
    ...(config.useDora && { magnitude: spec(magnitudeShape(layer), { kind: "ones" }) }),
  };
}

/** The dtype that PEFT computes ΔW in: f32 for adapters in f16 or bf16, rounded to the adapter's dtype afterwards. */
function delta({ A, B }: Params, context: Context): Tensor {
  const { layer } = context;
  const [a, b] = [cast(A!, "f32"), cast(B!, "f32")];
  const scaled = (product: Tensor): Tensor => cast(mul(product, scaleOf(context)), B!.dtype);
  if (isExperts(layer)) {
    const [experts] = layer.shape as [number];
    const rank = a.shape[0]! / experts;
    const aByExpert = reshape(a, [experts, rank, a.shape[1]!]);
    const bByExpert = transpose(reshape(b, [b.shape[0]!, rank, experts]), [2, 0, 1]);
    const product = matmul(bByExpert, aByExpert);
    return scaled(layer.transposed ? swapLast(product) : product);
  }
  if (isConv(layer)) {
    if ((layer.conv?.groups ?? 1) > 1)
      throw new CapabilityError("LoRA on a grouped convolution has no ΔW of the weight's shape: A reads all channels", {
        hint: "keep the adapter unmerged",
      });
    const [out, r] = [b.shape[0]!, a.shape[0]!];
    return scaled(reshape(matmul(reshape(b, [out, r]), reshape(a, [r, -1])), layer.shape));
  }
  const product = matmul(b, a);
  return scaled(layer.kind === "embedding" || layer.transposed ? swapLast(product) : product);
}

/** s·B(A(x)) (+ s·bias). */
function lowRank(x: Tensor, { A, B, bias }: Params, context: Context): Tensor {
  const { layer } = context;
  const s = scaleOf(context);
  if (layer.kind === "embedding") return mul(linear(gather(swapLast(A!), x, 0), B!), s);
  const input = cast(x, A!.dtype);
  const low = isConv(layer) ? conv(convLike(layer, input, A!, 1), B!, { groups: layer.conv?.groups ?? 1 }) : linear(linear(input, A!), B!);
  return mul(bias ? add(low, biasLike(layer, bias)) : low, s);
}

function forward(x: Tensor, base: BaseLayer, params: Params, context: Context, dropout?: (x: Tensor) => Tensor): Tensor {
  const { layer } = context;
  if (layer.kind === "parameter")
    throw new CapabilityError("an adapter on a raw parameter changes the weight; its module has no forward of its own here", {
      hint: "compute with mergeWeight(LORA, weight, params, context)",
    });
  // PEFT applies no dropout to embeddings.
  const dropped = dropout && layer.kind !== "embedding" ? dropout(x) : x;
  if (params.magnitude) return doraForward(x, base, lowRank(dropped, params, context), delta(params, context), params, context, dropped);
  if (layer.kind === "linear" && !layer.transposed && !base.forward && dropped === x && !params.bias)
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
  parameters,
  keys: ({ kind }): { readonly [name: string]: readonly string[] } => ({
    A: kind === "embedding" ? ["lora_embedding_A"] : ["lora_A.weight"],
    B: kind === "embedding" ? ["lora_embedding_B"] : ["lora_B.weight"],
    bias: ["lora_B.bias"],
    // PEFT before 0.9 wrote it with `.weight`.
    magnitude: ["lora_magnitude_vector", "lora_magnitude_vector.weight"],
  }),
  delta,
  transform(weight, params, context, unmerged) {
    return params.magnitude && doraTransform(weight, delta(params, context), params, context.layer, unmerged);
  },
  merge(weight, params, context, { rounding, dtype }) {
    const { layer } = context;
    if (params.magnitude || isConv(layer) || isExperts(layer)) return undefined;
    const rounded = rounding === "twice" ? weight.dtype : params.B!.dtype;
    if (rounding === "twice" && params.B!.dtype !== "f32" && params.B!.dtype !== weight.dtype) return undefined;
    return mergeLowRank(weight, params.A!, params.B!, {
      scale: scaleOf(context),
      dtype,
      deltaDtype: rounded,
      transposed: layer.kind === "embedding" || (layer.transposed ?? false),
    });
  },
  biasDelta: ({ bias }, context) => bias && mul(cast(bias, "f32"), scaleOf(context)),
  forward,
};
