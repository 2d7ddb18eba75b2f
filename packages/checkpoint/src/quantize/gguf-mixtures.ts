import type { SafetensorsDType } from "@weft/io-safetensors";
import { GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import type { GgufTargetName } from "../names.js";

/** A mixture of types: the number of `general.file_type`, and the type of what has no rule of its own. */
interface Mixture {
  readonly fileType: number;
  readonly type: GgufType;
}

const MIXTURES: Readonly<Record<GgufTargetName, Mixture>> = {
  f32: { fileType: 0, type: "F32" },
  f16: { fileType: 1, type: "F16" },
  bf16: { fileType: 32, type: "BF16" },
  q4_0: { fileType: 2, type: "Q4_0" },
  q4_1: { fileType: 3, type: "Q4_1" },
  q5_0: { fileType: 8, type: "Q5_0" },
  q5_1: { fileType: 9, type: "Q5_1" },
  q8_0: { fileType: 7, type: "Q8_0" },
  q2_k: { fileType: 10, type: "Q2_K" },
  q3_k_s: { fileType: 11, type: "Q3_K" },
  q3_k_m: { fileType: 12, type: "Q3_K" },
  q3_k_l: { fileType: 13, type: "Q3_K" },
  q4_k_s: { fileType: 14, type: "Q4_K" },
  q4_k_m: { fileType: 15, type: "Q4_K" },
  q5_k_s: { fileType: 16, type: "Q5_K" },
  q5_k_m: { fileType: 17, type: "Q5_K" },
  q6_k: { fileType: 18, type: "Q6_K" },
  iq4_nl: { fileType: 25, type: "IQ4_NL" },
  iq4_xs: { fileType: 30, type: "IQ4_XS" },
};

/** `general.file_type` of a mixture. */
export const fileTypeOf = (to: GgufTargetName): number => MIXTURES[to].fileType;

/** `general.file_type` of a file that is mostly of a type: the middle one of its mixtures. */
export function fileTypeOfMost(type: GgufType): number {
  const own = Object.entries(MIXTURES).filter(([, mixture]) => mixture.type === type);
  return (own.find(([name]) => name.endsWith("_m")) ?? own[0]!)[1].fileType;
}

/** What the rules look at of a model. */
export interface ModelShape {
  readonly layers: number;
  /** Query heads to one of keys and values. */
  readonly groupedHeads: number;
  /** The output layer is the embedding. */
  readonly tied: boolean;
  /** There is an importance of inputs. */
  readonly importance?: boolean;
}

/** The first eighth of the layers, the last, and every third between. */
const useMoreBits = (layer: number, layers: number): boolean => {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
};

/** Types of half of the block, for rows that are no multiple of 256. */
const NARROWER: { readonly [type in GgufType]?: GgufType } = {
  IQ4_XS: "IQ4_NL",
  Q2_K: "Q4_0",
  Q3_K: "Q4_0",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
};

/** Of 80 layers whose heads share values, those have more bits: they are few. @see llama.cpp `src/llama-quant.cpp`, LLM_TYPE_70B */
const sharedBy80 = (type: GgufType, { layers, groupedHeads }: ModelShape): GgufType =>
  layers === 80 && groupedHeads > 1 && (type === "Q3_K" || type === "Q4_K") ? "Q5_K" : type;

function ruled(to: GgufTargetName, name: string, width: number, { layers, groupedHeads, tied, importance = false }: ModelShape): GgufType {
  const { type } = MIXTURES[to];
  const layer = Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0);
  if (name === "output.weight" || (tied && name === "token_embd.weight")) {
    if (width % GGUF_TYPES[type].block !== 0) return "Q8_0";
    return type === "Q8_0" ? type : "Q6_K";
  }
  if (name.endsWith("attn_v.weight") || name.endsWith("attn_qkv.weight")) {
    if (to === "q2_k") return groupedHeads >= 4 ? "Q4_K" : "Q3_K";
    if (to === "q3_k_m") return layer < 2 ? "Q5_K" : "Q4_K";
    if (to === "q3_k_l") return "Q5_K";
    if ((to === "iq4_nl" || to === "iq4_xs") && groupedHeads >= 4) return "Q5_K";
    if ((to === "q4_k_m" || to === "q5_k_m") && useMoreBits(layer, layers)) return "Q6_K";
    if (to === "q4_k_s" && layer < 4) return "Q5_K";
  } else if (name.endsWith("ffn_down.weight")) {
    const eighth = layer < Math.floor(layers / 8);
    if (to === "q2_k") return "Q3_K";
    if (to === "q3_k_m") return layer < Math.floor(layers / 16) ? "Q5_K" : "Q4_K";
    if (to === "q3_k_l") return "Q5_K";
    if ((to === "q4_k_m" || to === "q5_k_m") && useMoreBits(layer, layers)) return "Q6_K";
    if (eighth && (to === "q4_k_s" || (!importance && (to === "iq4_nl" || to === "iq4_xs")))) return "Q5_K";
    if (eighth && importance && (to === "q4_0" || to === "q5_0")) return to === "q4_0" ? "Q4_1" : "Q5_1";
  } else if (name.endsWith("attn_output.weight")) {
    if (to === "q2_k") return "Q3_K";
    if (to === "q3_k_m") return "Q4_K";
    if (to === "q3_k_l") return "Q5_K";
  }
  return type;
}

/** Matrices that no product reads, or that are too small. */
const KEPT = /_norm\.weight$|ssm_conv1d|position_embd|token_types/;

/**
 * The type of a tensor in a mixture, as llama.cpp chooses it for models without experts. What has one axis, norms and all else that no product reads stays f32.
 * @param name in the GGUF file
 * @see llama.cpp `src/llama-quant.cpp` llama_tensor_get_type, tensor_type_fallback
 */
export function mixedType(to: GgufTargetName, name: string, shape: readonly number[], model: ModelShape): GgufType {
  if (shape.length < 2 || !name.endsWith("weight") || KEPT.test(name)) return "F32";
  const { type } = MIXTURES[to];
  if (type === "F32" || type === "F16" || type === "BF16") return type;
  const width = shape.at(-1)!;
  const own = ruled(to, name, width, model);
  const wanted = name.endsWith("attn_v.weight") ? sharedBy80(own, model) : own;
  return fitting(wanted, width);
}

/** A type, or what stands in for it where rows are no whole blocks of it. @see llama.cpp `src/llama-quant.cpp` tensor_type_fallback */
export function fitting(wanted: GgufType, width: number): GgufType {
  if (width % GGUF_TYPES[wanted].block === 0) return wanted;
  const narrower = NARROWER[wanted];
  return narrower && width % GGUF_TYPES[narrower].block === 0 ? narrower : "F16";
}

/** The type of numbers that a weight is kept in. */
export const denseTypeOf = (dtype: SafetensorsDType): GgufType => (dtype === "BF16" ? "BF16" : "F16");
