import { activationOf } from "../activations.js";
import { type ConfigJson, fieldsOf } from "../config-fields.js";
import { layerTypes, type LayerType } from "./layer-types.js";
import type { FamilySizes, LlamaConfig } from "./llama-config.js";
import { readRope, type RopeConfig } from "./rope-config.js";

/** What both generations have: @param sliding whether a layer has a window, where the config does not say it */
function common(
  json: ConfigJson,
  layers: number,
  sliding: (i: number) => boolean,
): { readonly own: Partial<LlamaConfig>; readonly types: readonly LayerType[] } {
  const { text, positive, integer, same } = fieldsOf(json, "config.json");
  same("use_bidirectional_attention", false);
  const activation = text("hidden_activation", "gelu_pytorch_tanh");
  activationOf(activation, "hidden_activation");
  const types = layerTypes(json, layers) ?? Array.from({ length: layers }, (_, i) => (sliding(i) ? "sliding_attention" : "full_attention"));
  const window = json["sliding_window"] === null ? undefined : integer("sliding_window", 4096);
  return {
    types,
    own: {
      gemma: true,
      activation,
      attentionScale: positive("query_pre_attn_scalar", 256) ** -0.5,
      windows: types.map((type) => (type === "sliding_attention" ? window : undefined)),
    },
  };
}

/** A cap, of which null is none. */
const capOf = (json: ConfigJson, name: string, otherwise?: number): number | undefined =>
  json[name] === null || (json[name] === undefined && otherwise === undefined)
    ? undefined
    : fieldsOf(json, "config.json").positive(name, otherwise);

/** Gemma 2: windows in every other layer, scores and logits capped. @see transformers `models/gemma2/configuration_gemma2.py` */
export function gemma2(json: ConfigJson, { layers }: FamilySizes): Partial<LlamaConfig> {
  const { own } = common(json, layers, (i) => i % 2 === 0);
  return {
    ...own,
    attentionCap: capOf(json, "attn_logit_softcapping", 50),
    logitCap: capOf(json, "final_logit_softcapping", 30),
  };
}

/**
 * Gemma 3 (text): norms on q and k, windows in all but every sixth layer, rotary embeddings of their own there. Its scores are not capped, whatever
 * `attn_logit_softcapping` says.
 * @see transformers `models/gemma3/configuration_gemma3.py` Gemma3TextConfig
 */
export function gemma3(json: ConfigJson, { layers, maxPositions, headDim }: FamilySizes): Partial<LlamaConfig> {
  const { integer } = fieldsOf(json, "config.json");
  const pattern = integer("sliding_window_pattern", 6);
  const { own, types } = common(json, layers, (i) => (i + 1) % pattern !== 0);
  const rope = ropeOf(json, "full_attention", { theta: "rope_theta", otherwise: 1e6, scaled: true }, maxPositions, headDim);
  const local = ropeOf(json, "sliding_attention", { theta: "rope_local_base_freq", otherwise: 1e4, scaled: false }, maxPositions, headDim);
  return {
    ...own,
    qkNorm: true,
    rope,
    ropes: types.map((type) => (type === "full_attention" ? rope : local)),
    logitCap: capOf(json, "final_logit_softcapping"),
  };
}

/** The rotary embedding of a kind of layer: an object for each kind in transformers 5; before, fields of the config, of which `rope_scaling` is for full attention. */
function ropeOf(
  json: ConfigJson,
  type: LayerType,
  old: { readonly theta: string; readonly otherwise: number; readonly scaled: boolean },
  maxPositions: number,
  headDim: number,
): RopeConfig {
  const { rope_parameters: all, rope_scaling: scaling, ...rest } = json;
  const own = (all as { readonly [type: string]: ConfigJson | null | undefined } | null | undefined)?.[type];
  const theta = own?.["rope_theta"] ?? json[old.theta] ?? old.otherwise;
  const fields = own ?? (old.scaled ? (scaling as ConfigJson | null | undefined) : undefined) ?? {};
  return readRope({ ...rest, rope_parameters: { ...fields, rope_theta: theta } }, maxPositions, headDim);
}
