import {
  type AdapterMethod,
  add,
  boolean,
  CapabilityError,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  dropped,
  dropRate,
  float,
  forwardBase,
  gelu,
  linear,
  type MirrorSizes,
  mul,
  oneOf,
  type ParameterSpec,
  type Params,
  sigmoid,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import { basics, fields, last, optional, rank, trained, wide } from "@weft/tensor-core/methods";

/** The config of a shadow. */
export interface ShadowConfigFields {
  readonly targetModules: string | readonly string[] | null;
  readonly r: number;
  readonly shadowAlpha: number;
  readonly shadowDropout: number;
  readonly initWeights: boolean;
  readonly shadowNumHiddenLayers: number | null;
  readonly shadowHiddenSize: number | null;
  readonly shadowNumAttentionHeads: number | null;
  readonly shadowIntermediateSize: number | null;
  /** The shadow reads the model's embeddings, where it is as wide; else it has its own. */
  readonly shareEmbeddings: boolean;
  readonly updateHiddenSize: number | null;
  readonly taskType?: string | null;
}

/** The config on a model. */
interface OnModel extends ShadowConfigFields {
  /** Parameters of the shadow's own model, and of the projection behind it. */
  readonly shadow?: { readonly [name: string]: ParameterSpec };
}

const size = (): ReturnType<typeof optional> =>
  optional((n) => Number.isInteger(n) && n >= 1 && n <= 2 ** 24, "an integer from 1 to 16777216");
const FIELDS = fields("shadow", ["init_weights"], {
  r: rank(8),
  shadow_alpha: float(0.1),
  shadow_dropout: dropRate(0.2),
  shadow_model: oneOf("mirror", ["mirror"]),
  shadow_num_hidden_layers: size(),
  shadow_hidden_size: size(),
  shadow_num_attention_heads: size(),
  shadow_intermediate_size: size(),
  share_embeddings: boolean(true),
  update_hidden_size: size(),
  auxiliary_loss_weight: float(0.05),
});

/** PEFT's `ShadowConfig` (`peft_type` SHADOW): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const ShadowConfig: ConfigClass<ShadowConfigFields> = configClass("SHADOW", FIELDS);

const [DOWN, UP, TRANSFORM, GATE] = ["down", "up", "update_transform", "update_gate"];
// PEFT leaves the adapter's name in these keys, and always writes `default`.
const BACKBONE = "shadow_backbone.default.";
const EMBEDDING = `${BACKBONE}embed_tokens.weight`;
const PROJECTION = "shadow_projection.default.weight";
const named = (name: string, part: string): string => `${name}.default.${part}`;

const mirrorSizes = (config: ShadowConfigFields): MirrorSizes => ({
  layers: config.shadowNumHiddenLayers ?? 1,
  hiddenSize: config.shadowHiddenSize ?? undefined,
  heads: config.shadowNumAttentionHeads ?? undefined,
  intermediateSize: config.shadowIntermediateSize ?? undefined,
});

/** A network of two layers, [d → h → d]. */
function update(name: string, x: Tensor, params: Params): Tensor {
  const part = (key: string): Tensor => wide(params[named(name, key)]!);
  return linear(gelu(linear(x, part("0.weight"), part("0.bias"))), part("2.weight"), part("2.bias"));
}

/** What goes from block to block: the shadow's state [batch, length, features]. */
interface ShadowPass {
  state: Tensor;
}

/**
 * ShadowPEFT (Li et al. 2026): a small model of the same kind gives a state s, which rides along the model's blocks:
 *
 *     h = x + α·W_up·W_down·(x - s)      into the block
 *     s ← (1 - g)·s + g·T(y)             with its result y, g = σ(G(y))
 *
 * T and G are networks of two layers. The small model ("mirror") has its own parameters; it begins from the model's embeddings, or has its own, and a
 * projection where it is less wide. A shadow model by name, heads of classifiers and PEFT's auxiliary loss are not here.
 * @see peft `tuners/shadow/layers.py`, `model.py`
 */
export const SHADOW: AdapterMethod<OnModel> = {
  ...basics<OnModel>({
    name: "SHADOW",
    prefix: "shadow_",
    fields: FIELDS,
    kinds: ["block"],
    parameters({ r, updateHiddenSize, initWeights }, { in: d }) {
      const h = updateHiddenSize ?? r;
      const bias = (n: number, fanIn: number): ParameterSpec => trained([n], { kind: "uniform", bound: 1 / Math.sqrt(fanIn) });
      const network = (name: string): [string, ParameterSpec][] => [
        [named(name, "0.weight"), trained([h, d], "kaimingUniform")],
        [named(name, "0.bias"), bias(h, d)],
        [named(name, "2.weight"), trained([d, h], "kaimingUniform")],
        [named(name, "2.bias"), bias(d, h)],
      ];
      return {
        [named(DOWN, "weight")]: trained([r, d], "kaimingUniform"),
        [named(UP, "weight")]: trained([d, r], last(initWeights)),
        ...Object.fromEntries([...network(TRANSFORM), ...network(GATE)]),
      };
    },
    names: [],
  }),
  keys: () =>
    Object.fromEntries(
      [
        ...[DOWN, UP].map((name) => [name, "weight"]),
        ...[TRANSFORM, GATE].flatMap((name) => ["0.weight", "0.bias", "2.weight", "2.bias"].map((part) => [name, part])),
      ].map(([name, part]) => [named(name!, part!), [`shadow_${named(name!, part!)}`, `shadow_${name}.${part}`]]),
    ),
  wholes: true,
  unmergeable: "what it adds depends on the input",
  onModel(config, model) {
    if (config.taskType === "SEQ_CLS")
      throw new CapabilityError("SHADOW with a classifier of its own (task_type SEQ_CLS) is not supported");
    if (!model.mirror) throw new CapabilityError("SHADOW: the model has no smaller one of its kind (`mirror`)");
    const { width, parameters } = model.mirror(mirrorSizes(config));
    const blocks = [...model.layers()].filter(({ layer }) => layer.kind === "block");
    const d = blocks[0]?.layer.shape[0];
    if (d === undefined) throw new CapabilityError("SHADOW: the model shows no blocks");
    const own = Object.entries(parameters).map(([name, spec]): [string, ParameterSpec] => [BACKBONE + name, spec]);
    const shared = config.shareEmbeddings && width === d;
    return {
      ...config,
      targetModules: config.targetModules ?? blocks.map(({ path }) => path),
      shadow: {
        ...Object.fromEntries(own.filter(([name]) => !shared || name !== EMBEDDING)),
        ...(width !== d && { [PROJECTION]: trained([d, width], "kaimingUniform") }),
      },
    };
  },
  shared: {
    parameters: ({ shadow = {} }) => shadow,
    keys: { [PROJECTION]: [PROJECTION, "shadow_projection.weight"] },
  },
  begin({ inputs, mirror }, params, config): ShadowPass {
    if (!mirror) throw new CapabilityError("SHADOW: the model has no smaller one of its kind (`mirror`)");
    const own = Object.entries(params).flatMap(([name, t]) =>
      name.startsWith(BACKBONE) ? [[name.slice(BACKBONE.length), t] as const] : [],
    );
    const hidden = mirror(mirrorSizes(config)).hidden(inputs, Object.fromEntries(own));
    const projection = params[PROJECTION];
    return { state: projection ? linear(wide(hidden), wide(projection)) : hidden };
  },
  forward(x, base, params, { layer, config, scale, pass, mask }) {
    if (!pass) throw new ConfigError("SHADOW runs on a whole model", { hint: "run it by PeftModel.forward" });
    const carried = pass as ShadowPass;
    const weight = (name: string): Tensor => wide(params[named(name, "weight")]!);
    const gap = dropped(sub(wide(x), wide(carried.state)), config.shadowDropout, mask);
    const injected = add(x, cast(mul(linear(linear(gap, weight(DOWN)), weight(UP)), config.shadowAlpha * scale), x.dtype));
    const y = forwardBase(layer, base, injected);
    const gate = sigmoid(update(GATE, wide(y), params));
    const state = add(mul(sub(1, gate), wide(carried.state)), mul(gate, update(TRANSFORM, wide(y), params)));
    carried.state = cast(state, x.dtype);
    return y;
  },
};
