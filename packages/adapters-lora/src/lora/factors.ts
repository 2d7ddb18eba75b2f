import { lowRankDelta } from "@weft/tensor-core/methods";
import {
  type AdapterContext,
  cast,
  ConfigError,
  featuresOf,
  isConv,
  type LayerSpec,
  matmul,
  mul,
  type ParameterSpec,
  type Params,
  reshape,
  type Tensor,
} from "@weft/tensor-core";
import { type LoraConfigFields, loraScaling } from "./config.js";
import { magnitudeShape } from "./dora.js";
import { loraVariant } from "../variants/variants.js";

export type Context = AdapterContext<LoraConfigFields>;

export const scaleOf = ({ config, scale }: Context): number => loraScaling(config) * scale;
export const isExperts = (layer: LayerSpec): boolean => layer.kind === "parameter" && layer.shape.length === 3;
/** A [r, in], B [out, r] of a stack of experts: A [r·E, in] expert-major, B [out, r·E] rank-major. */
const expertsOf = (layer: LayerSpec): number => (isExperts(layer) ? layer.shape[0]! : 1);

/** What a layer's adapter stores: plain LoRA's parameters, or what the config's variant makes of them. @throws ConfigError */
export function loraParameters(config: LoraConfigFields, layer: LayerSpec): { readonly [name: string]: ParameterSpec } {
  const plain = plainParameters(config, layer);
  const variant = loraVariant(config);
  if (!variant) return plain;
  if (!variant.kinds.includes(layer.kind))
    throw new ConfigError(`${variant.field} is for layers of kind ${variant.kinds.join(", ")}, got ${layer.kind}`);
  return variant.parameters(plain, config, layer);
}

/** Plain LoRA's A [r, in] and B [out, r], with the rest as it is. */
export const plainFactors = (params: Params, context: Context): Params => loraVariant(context.config)?.factors?.(params, context) ?? params;

/** A and B, the bias of B, DoRA's magnitude. */
export function plainParameters(config: LoraConfigFields, layer: LayerSpec): { readonly [name: string]: ParameterSpec } {
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

/** ΔW of plain factors. */
export const plainDelta = ({ A, B }: Params, context: Context): Tensor =>
  lowRankDelta({ A: A!, B: B!, scale: scaleOf(context) }, context.layer);

/** ΔW of what an adapter stores. */
export const loraDelta = (params: Params, context: Context): Tensor => plainDelta(plainFactors(params, context), context);

/**
 * s·B·A as DoRA's norm takes it. On a grouped convolution, where no ΔW has the weight's shape, PEFT puts the entries of a product of the reshaped
 * factors in the weight's places; what was trained with that norm needs it.
 * @see peft `tuners/lora/dora.py` _DoraConvNdLayer.get_lora_weight
 */
export function doraDelta(params: Params, context: Context): Tensor {
  const { layer } = context;
  if ((layer.conv?.groups ?? 1) === 1) return loraDelta(params, context);
  const [A, B] = [params.A!, params.B!].map((t) => cast(t, "f32")) as [Tensor, Tensor];
  const r = A.shape[0]!;
  return mul(reshape(matmul(reshape(B, [-1, r]), reshape(A, [r, -1])), layer.shape), scaleOf(context));
}
