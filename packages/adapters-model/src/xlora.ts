import {
  type AdapterContext,
  type AdapterMethod,
  add,
  type Attached,
  boolean,
  CapabilityError,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  div,
  dropped,
  dropRate,
  equal,
  exp,
  type Field,
  type FieldTable,
  float,
  forwardAdapters,
  forwardBase,
  full,
  integer,
  iota,
  linear,
  max,
  maximum,
  mul,
  notEqual,
  type ParameterSpec,
  type Params,
  relu,
  reshape,
  slice,
  softmax,
  stopGradient,
  sub,
  sum,
  type Tensor,
  topK,
  where,
  zeros,
} from "@weft/tensor-core";
import { count, optional, trained, wide } from "@weft/tensor-core/methods";

/** The config of an X-LoRA adapter. */
export interface XLoraConfigFields {
  /** Width of the model's hidden states. */
  readonly hiddenSize: number;
  /** Where each expert is, by name. */
  readonly adapters: { readonly [name: string]: string };
  readonly enableSoftmax: boolean;
  /** A softmax over the largest shares alone. */
  readonly enableSoftmaxTopk: boolean;
  /** Each layer has shares of its own. */
  readonly layerwiseScalings: boolean;
  /** Linear layers of the classifier. */
  readonly xloraDepth: number;
  readonly xloraSize: number;
  readonly xloraDropoutP: number;
  readonly useTrainableAdapters: boolean;
  readonly softmaxTemperature: number;
  /** So many experts act on a token; all if null. */
  readonly topKLora: number | null;
  /** The share of each expert in the pass that the classifier looks at. */
  readonly scalingPassValue: number;
  readonly globalScalingWeight: number;
}

/** The config of one layer. */
interface LayerConfig extends XLoraConfigFields {
  readonly experts?: readonly (Attached | undefined)[];
  readonly index?: number;
}

/** Deeper classifiers come from damaged files. */
const MAX_DEPTH = 64;
const paths: Field = {
  fallback: {},
  check: (v) => typeof v === "object" && v !== null && !Array.isArray(v) && Object.values(v).every((path) => typeof path === "string"),
  expected: "an object of adapters' names and places",
};
const FIELDS: FieldTable = {
  hidden_size: count(4096),
  adapters: paths,
  enable_softmax: boolean(true),
  enable_softmax_topk: boolean(false),
  layerwise_scalings: boolean(false),
  xlora_depth: integer(1, 1, MAX_DEPTH),
  xlora_size: count(2048),
  xlora_dropout_p: dropRate(0.2),
  use_trainable_adapters: boolean(false),
  softmax_temperature: float(1),
  top_k_lora: optional((n) => Number.isInteger(n) && n >= 1, "an integer from 1 on"),
  scaling_pass_value: float(0),
  global_scaling_weight: float(1),
};

/** PEFT's `XLoraConfig` (`peft_type` XLORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const XLoraConfig: ConfigClass<XLoraConfigFields> = configClass("XLORA", FIELDS);

/** Positions of the classifier's linear layers in torch's Sequential, where an activation and perhaps a dropout stand between them. */
const positions = ({ xloraDepth, xloraDropoutP }: XLoraConfigFields): number[] =>
  Array.from({ length: xloraDepth }, (_, i) => i * (xloraDropoutP > 0 ? 3 : 2));
const namesAt = (position: number): [weight: string, bias: string] => [`layers.${position}.weight`, `layers.${position}.bias`];

/** What the layers get to know of a pass: the shares of all experts in a layer, [batch, length, experts]; undefined where all are 0. */
type Shares = (index: number) => Tensor | undefined;

const LAST = { axes: [-1], keepDims: true };
const expertCount = (config: XLoraConfigFields): number => Object.keys(config.adapters).length;

/** The shares of a layer as they are applied: the largest alone if the config says so. */
function chosen(shares: Tensor, { topKLora, enableSoftmaxTopk }: XLoraConfigFields): Tensor {
  let result = shares;
  if (topKLora !== null) {
    const { indices } = topK(stopGradient(shares), topKLora);
    const places = equal(reshape(indices, [...indices.shape, 1]), iota([...indices.shape, shares.shape.at(-1)!], indices.shape.length));
    result = mul(result, sum(cast(places, "f32"), { axes: [-2] }));
  }
  if (!enableSoftmaxTopk) return result;
  const open = notEqual(stopGradient(result), 0);
  const top = max(where(open, stopGradient(result), -Infinity), LAST);
  const e = where(open, exp(where(open, sub(result, top), 0)), 0);
  return div(e, maximum(sum(e, LAST), Number.MIN_VALUE));
}

/** The shares of the experts, by what the classifier makes of the last hidden states [batch, length, hidden]. */
function classify(hidden: Tensor, params: Params, config: XLoraConfigFields, mask: AdapterContext<never>["mask"]): Shares {
  const at = positions(config);
  const logits = at.reduce(
    (h, position, i) => {
      const [weight, bias] = namesAt(position).map((name) => wide(params[name]!)) as [Tensor, Tensor];
      return linear(i === 0 ? h : dropped(relu(h), config.xloraDropoutP, mask), weight, bias);
    },
    wide(stopGradient(hidden)),
  );
  const n = expertCount(config);
  const normal = (t: Tensor): Tensor => (config.enableSoftmax ? softmax(div(t, config.softmaxTemperature)) : t);
  return (index) => {
    const own = config.layerwiseScalings ? slice(logits, [undefined, undefined, [index * n, (index + 1) * n]]) : logits;
    return chosen(normal(own), config);
  };
}

/**
 * X-LoRA (Buehler & Buehler 2024): a classifier over the model's last hidden states h, of a pass before with the experts at `scaling_pass_value`,
 * gives each token t a share of each LoRA, one for all layers or one per layer:
 *
 *     y = base(x) + g·Σₙ shareₙ(h)[t]·effectₙ(x),    share = softmax(MLP(h)/temperature)
 *
 * `top_k_lora` leaves the largest. The classifier alone is in the file, the experts are adapters of their own. No gradient goes through the first
 * pass. Experts are plain LoRAs on linear layers and embeddings.
 * @see peft `tuners/xlora/classifier.py`, `layer.py`, `model.py`
 */
export const XLORA: AdapterMethod<LayerConfig> = {
  name: "XLORA",
  prefix: "internal_xlora_",
  fields: FIELDS,
  unmergeable: "what its experts do depends on the token",
  mix(config, experts, index) {
    for (const expert of experts) {
      const { kind } = expert?.context.layer ?? { kind: "linear" };
      const names = Object.keys(expert?.params ?? {});
      if (expert && (expert.method.name !== "LORA" || names.join() !== "A,B" || (kind !== "linear" && kind !== "embedding")))
        throw new CapabilityError(
          `X-LoRA mixes plain LoRAs on linear layers and embeddings, got ${expert.method.name} (${names}) on ${kind}`,
        );
    }
    return { ...config, experts, index };
  },
  parameters: ({ experts = [], useTrainableAdapters }) =>
    Object.fromEntries(
      experts.flatMap((expert, i) =>
        Object.entries(expert?.params ?? {}).map(([name, { shape }]): [string, ParameterSpec] => [
          `${i}.${name}`,
          { shape, init: { kind: "zeros" }, trainable: useTrainableAdapters, counted: !useTrainableAdapters },
        ]),
      ),
    ),
  keys: () => ({}),
  shared: {
    parameters(config, layers) {
      const at = positions(config);
      const sizes = [
        config.hiddenSize,
        ...at.slice(1).map(() => config.xloraSize),
        expertCount(config) * (config.layerwiseScalings ? layers.length : 1),
      ];
      return Object.fromEntries(
        at.flatMap((position, i) => {
          const [weight, bias] = namesAt(position);
          return [
            [weight, trained([sizes[i + 1]!, sizes[i]!], "kaimingUniform")],
            [bias, trained([sizes[i + 1]!], { kind: "uniform", bound: 1 / Math.sqrt(sizes[i]!) })],
          ] as const;
        }),
      );
    },
    keys: Object.fromEntries(
      Array.from({ length: 3 * MAX_DEPTH }, (_, position) => namesAt(position))
        .flat()
        .map((name) => [name, [`internal_xlora_classifier.${name}`]]),
    ),
  },
  begin({ forward, mask }, params, config): Shares {
    const value = config.scalingPassValue;
    const equalShares = full([1, 1, expertCount(config)], value);
    const outputs = forward((() => (value === 0 ? undefined : chosen(equalShares, config))) satisfies Shares);
    const hidden = (outputs as { readonly hiddenStates?: readonly Tensor[] }).hiddenStates?.at(-1);
    if (!hidden) throw new ConfigError("X-LoRA looks at the model's last hidden states, but its outputs have no `hiddenStates`");
    return classify(hidden, params, config, mask);
  },
  forward(x, base, params, { layer, config, scale, pass, mask, noise }) {
    if (!pass) throw new ConfigError("X-LoRA runs on a whole model", { hint: "run it by PeftModel.forward" });
    const y = forwardBase(layer, base, x);
    const shares = (pass as Shares)(config.index!);
    if (!shares) return y;
    const nothing = { ...base, forward: () => zeros(y.shape, y.dtype) };
    return (config.experts ?? []).reduce((result, expert, i) => {
      if (!expert) return result;
      const own = Object.fromEntries(Object.keys(expert.params).map((name) => [name, params[`${i}.${name}`]!]));
      const context = { ...expert.context, ...(mask && { mask }), ...(noise && { noise }) };
      const effect = forwardAdapters(layer, nothing, [{ method: expert.method, params: own, context }], x);
      const share = mul(slice(shares, [undefined, undefined, [i, i + 1]]), config.globalScalingWeight * scale);
      return cast(add(result, mul(effect, share)), y.dtype);
    }, y);
  },
};
