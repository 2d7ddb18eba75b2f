import {
  add,
  type AdapterMethod,
  attention,
  broadcastTo,
  CapabilityError,
  cast,
  configClass,
  type ConfigClass,
  ConfigError,
  type Field,
  type FieldTable,
  forwardBase,
  mul,
  type Tensor,
} from "@weft/tensor-core";
import { basics, normal, optional, trained } from "@weft/tensor-core/methods";

/** The config of an adaption prompt. */
export interface AdaptionPromptConfigFields {
  /** The name of the attention modules. */
  readonly targetModules: string;
  /** Number of prompt tokens in each attention. */
  readonly adapterLen: number | null;
  /** So many attentions, counted from the last one. */
  readonly adapterLayers: number | null;
}

const number = (): Field => optional((n) => Number.isInteger(n) && n >= 1 && n <= 2 ** 24, "an integer from 1 to 16777216");
const FIELDS: FieldTable = {
  target_modules: { fallback: null, check: (v) => typeof v === "string", expected: "the name of the attention modules" },
  adapter_len: number(),
  adapter_layers: number(),
};

/** PEFT's `AdaptionPromptConfig` (`peft_type` ADAPTION_PROMPT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const AdaptionPromptConfig: ConfigClass<AdaptionPromptConfigFields> = configClass("ADAPTION_PROMPT", FIELDS);

function given(value: number | null, field: string): number {
  if (value === null) throw new ConfigError(`ADAPTION_PROMPT: ${field} is missing`, { kind: "config-schema" });
  return value;
}

/**
 * LLaMA-Adapter (Zhang et al. 2023): beside its own mix of values an attention has one of learned tokens P, behind a gate g that begins with 0:
 *
 *     y + O(g·softmax(q·K(P)ᵀ/√d)·V(P))
 *
 * with the attention's own projections K, V and O (a bias of O counts twice, as in PEFT) and its rotated queries q; tokens have no position.
 * P [1, adapter_len, features], g [1].
 * @see peft `tuners/adaption_prompt/layer.py`
 */
export const ADAPTION_PROMPT: AdapterMethod<AdaptionPromptConfigFields> = {
  ...basics<AdaptionPromptConfigFields>({
    name: "ADAPTION_PROMPT",
    defaultTargets: { models: { llama: "self_attn", mistral: "self_attn", gpt2: "attn" }, others: null },
    prefix: "adaption_",
    fields: FIELDS,
    kinds: ["attention"],
    parameters: ({ adapterLen }, size) => ({
      prompt: trained([1, given(adapterLen, "adapter_len"), size.in], normal()),
      gate: trained([1]),
    }),
    names: ["prompt", "gate"],
  }),
  wholes: true,
  unmergeable: "it adds to an attention's result, not to a weight",
  choose({ targetModules, adapterLayers }, layers) {
    const count = given(adapterLayers, "adapter_layers");
    const found = layers.filter(({ path }) => path.endsWith(`.${targetModules}`)).map(({ path }) => path);
    if (found.length < count)
      throw new ConfigError(`ADAPTION_PROMPT: adapter_layers is ${count}, but the model has ${found.length} modules ${targetModules}`, {
        kind: "config-schema",
        hint: "target_modules is the last part of the paths of the attention modules; PEFT knows it for llama, mistral and gpt2",
      });
    return found.slice(-count);
  },
  forward(x, base, { prompt, gate }, { layer, scale }) {
    const parts = base.attention;
    if (!parts) throw new CapabilityError("ADAPTION_PROMPT: the model does not show the inside of its attention");
    const y = forwardBase(layer, base, x);
    const tokens = cast(prompt!, x.dtype);
    const each = (t: Tensor): Tensor => broadcastTo(t, [x.shape[0]!, ...t.shape.slice(1)]);
    const mixed = attention(parts.queries(x), each(parts.keys(tokens)), each(parts.values(tokens)));
    return cast(add(y, mul(parts.project(mul(mixed, cast(gate!, x.dtype))), scale)), y.dtype);
  },
};
