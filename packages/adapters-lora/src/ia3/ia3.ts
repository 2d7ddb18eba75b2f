import {
  type AdapterContext,
  type AdapterMethod,
  add,
  type BaseLayer,
  biasLike,
  boolean,
  broadcastTo,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  featuresOf,
  type FieldTable,
  forwardBase,
  isConv,
  type LayerSpec,
  mul,
  type Params,
  reshape,
  stringList,
  stringOrList,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import { DEFAULT_TARGETS } from "./default-targets.js";

/** PEFT 0.21.2's `IA3Config` fields and defaults. @see peft `tuners/ia3/config.py` */
const FIELDS: FieldTable = {
  target_modules: stringOrList(),
  exclude_modules: stringOrList(),
  feedforward_modules: stringOrList(),
  fan_in_fan_out: boolean(false),
  modules_to_save: stringList(),
  init_ia3_weights: boolean(true),
};

/** The config of an (IA)³ adapter. */
export interface IA3ConfigFields {
  readonly targetModules: string | readonly string[] | null;
  readonly excludeModules: string | readonly string[] | null;
  /** Those of the target modules whose input is scaled, not their output. */
  readonly feedforwardModules: string | readonly string[] | null;
  readonly fanInFanOut: boolean;
  readonly modulesToSave: readonly string[] | null;
  /** Vectors begin as ones; otherwise they are random. */
  readonly initIa3Weights: boolean;
  /** Whether one layer is a feed-forward module; follows from `feedforwardModules` and its path. */
  readonly isFeedforward?: boolean;
}

/** PEFT's `IA3Config` (`peft_type` IA3): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const IA3Config: ConfigClass<IA3ConfigFields> = configClass("IA3", FIELDS);

type Context = AdapterContext<IA3ConfigFields>;

function vectorShape({ isFeedforward = false }: IA3ConfigFields, layer: LayerSpec): number[] {
  if (layer.kind !== "linear" && layer.kind !== "conv2d" && layer.kind !== "conv3d")
    throw new ConfigError(`IA3 is for linear, conv2d and conv3d layers, got ${layer.kind}`);
  const { in: inputs, out } = featuresOf(layer);
  if (isConv(layer)) return [1, isFeedforward ? inputs : out, ...layer.shape.slice(2).map(() => 1)];
  return isFeedforward ? [1, inputs] : [out, 1];
}

/** l at the user's strength c: 1 + c·(l - 1), flat. */
function vector({ l }: Params, { scale }: Context): Tensor {
  const flat = reshape(l!, [-1]);
  return scale === 1 ? flat : add(mul(sub(flat, 1), scale), 1);
}

/** l in the shape in which it multiplies the stored weight. */
function spread(params: Params, context: Context): Tensor {
  const { layer, config } = context;
  const l = vector(params, context);
  if (!isConv(layer)) return reshape(l, Boolean(config.isFeedforward) === (layer.transposed ?? false) ? [-1, 1] : [1, -1]);
  const ones = layer.shape.slice(2).map(() => 1);
  if (!config.isFeedforward) return reshape(l, [-1, 1, ...ones]);
  const groups = layer.conv?.groups ?? 1;
  const [out, inputs] = layer.shape as [number, number];
  return reshape(broadcastTo(reshape(l, [groups, 1, inputs]), [groups, out / groups, inputs]), [out, inputs, ...ones]);
}

/**
 * (IA)³ (Liu et al. 2022): a learned vector l scales the layer's output, W' = diag(l)·W and b' = l ⊙ b, or in feed-forward modules its
 * input, W' = W·diag(l). Linear, Conv1D (fan_in_fan_out), Conv2d, Conv3d (l over channels).
 * @see peft `tuners/ia3/layer.py`
 */
export const IA3: AdapterMethod<IA3ConfigFields> = {
  name: "IA3",
  defaultTargets: DEFAULT_TARGETS,
  prefix: "ia3_",
  fields: FIELDS,
  configAt(config, path, matches) {
    const of = config.feedforwardModules;
    // PEFT compares these by plain endswith, without the dot that target_modules needs.
    return { ...config, isFeedforward: typeof of === "string" ? matches(of) : (of ?? []).some((end) => path.endsWith(end)) };
  },
  parameters: (config, layer) => ({
    l: { shape: vectorShape(config, layer), init: config.initIa3Weights ? { kind: "ones" } : { kind: "normal", std: 1 }, trainable: true },
  }),
  keys: () => ({ l: ["ia3_l"] }),
  transform: (weight, params, context) => mul(cast(weight, "f32"), cast(spread(params, context), "f32")),
  biasTransform: (bias, params, context) =>
    context.config.isFeedforward ? undefined : mul(cast(bias, "f32"), cast(vector(params, context), "f32")),
  forward(x, base: BaseLayer, params, context) {
    const { layer, config } = context;
    const l = vector(params, context);
    const along = isConv(layer) ? biasLike(layer, l) : l;
    if (config.isFeedforward) return forwardBase(layer, base, cast(mul(x, along), x.dtype));
    const y = forwardBase(layer, base, x);
    return cast(mul(y, along), y.dtype);
  },
};
