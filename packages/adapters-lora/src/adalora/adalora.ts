import { aboveRank } from "@weft/tensor-core/methods";
import {
  type AdapterContext,
  type AdapterMethod,
  add,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  convLike,
  featuresOf,
  type FieldTable,
  float,
  forwardBase,
  integer,
  isConv,
  type LayerSpec,
  linear,
  matmul,
  MAX_RANK,
  mergeLowRank,
  mul,
  type Params,
  reshape,
  sizeOf,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { LORA_FIELDS, type LoraConfigFields } from "../lora/config.js";

const STEPS = Number.MAX_SAFE_INTEGER;
const decay = {
  float: true,
  fallback: 0.85,
  check: (v: unknown) => typeof v === "number" && v > 0 && v < 1,
  expected: "a number between 0 and 1",
};
const isMask = (v: unknown): boolean => Array.isArray(v) && v.every((keep) => typeof keep === "boolean");

/** PEFT 0.21.2's `AdaLoraConfig` fields and defaults. @see peft `tuners/adalora/config.py` */
const FIELDS: FieldTable = {
  ...LORA_FIELDS,
  target_r: integer(8, 0, MAX_RANK),
  init_r: integer(12, 1, MAX_RANK),
  tinit: integer(0, 0, STEPS),
  tfinal: integer(0, 0, STEPS),
  deltaT: integer(1, 1, STEPS),
  beta1: decay,
  beta2: decay,
  orth_reg_weight: float(0.5),
  total_step: { ...integer(0, 1, STEPS), fallback: null },
  rank_pattern: {
    fallback: null,
    check: (v) => typeof v === "object" && v !== null && Object.values(v).every(isMask),
    expected: "an object of lists of booleans",
  },
};

/** The config of an AdaLoRA adapter. `r` is there because PEFT has it; it has no effect. */
export interface AdaLoraConfigFields extends Omit<LoraConfigFields, "rankPattern"> {
  /** Mean rank of a module at the end of the budget's descent. */
  readonly targetR: number;
  /** Rank of every module at the start. */
  readonly initR: number;
  /** Steps before the budget begins to fall, steps after it has fallen, and all steps. */
  readonly tinit: number;
  readonly tfinal: number;
  readonly totalStep: number | null;
  /** Steps between two allocations. */
  readonly deltaT: number;
  /** Decay of the averages of sensitivity and of uncertainty. */
  readonly beta1: number;
  readonly beta2: number;
  readonly orthRegWeight: number;
  /** `<module>.lora_E` → which of its triplets survive. */
  readonly rankPattern: { readonly [name: string]: readonly boolean[] } | null;
  /** Triplets that a layer has after pruning, as its tensors say; `initR` if not given. */
  readonly rank?: number;
}

/** Fields that its config has from LoRA's, and that it does not act on. */
const NOT_ADALORA = ["useRslora", "useDora", "loraBias", "aloraInvocationTokens", "useQalora"] as const;

/** PEFT's `AdaLoraConfig` (`peft_type` ADALORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const AdaLoraConfig: ConfigClass<AdaLoraConfigFields> = configClass("ADALORA", FIELDS);

type Context = AdapterContext<AdaLoraConfigFields>;

/** alpha/(init_r + 1e-5): the rank that PEFT divides by stays that of the start, also after pruning. */
function scaleOf({ config, scale }: Context): number {
  const alpha = config.loraAlpha > 0 ? config.loraAlpha : config.initR;
  return (alpha / (config.initR + 1e-5)) * scale;
}

const columns = (layer: LayerSpec): number => (isConv(layer) ? sizeOf(layer.shape.slice(1)) : featuresOf(layer).in);

function delta(params: Params, context: Context): Tensor {
  const { layer } = context;
  const product = mul(matmul(params.B!, mul(params.A!, params.E!)), scaleOf(context));
  if (isConv(layer)) return reshape(product, layer.shape);
  return layer.transposed ? swapLast(product) : product;
}

/**
 * AdaLoRA (Zhang et al. 2023): ΔW = s·B·diag(E)·A, a LoRA in the form of a singular value decomposition whose triplets are pruned while it
 * trains (`RankAllocator`). A [r, in] (conv2d [r, in·k·k]), E [r, 1], B [out, r]; the rank of each layer is that of its tensors, 0 included.
 * @see peft `tuners/adalora/layer.py`
 */
export const ADALORA: AdapterMethod<AdaLoraConfigFields> = {
  name: "ADALORA",
  defaultTargets: {
    models: {
      t5: ["q", "k", "v", "o", "wi", "wo"],
      mt5: ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
      bart: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
      opt: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
      roberta: ["query", "key", "value", "dense"],
      "deberta-v2": ["query_proj", "key_proj", "value_proj", "dense"],
    },
  },
  prefix: "lora_",
  fields: FIELDS,
  configFromShapes: (config, _, { E }) => (E ? { ...config, rank: E[0]! } : config),
  checkNew(config, layer) {
    const { targetR, initR } = config;
    const ignored = NOT_ADALORA.find((field) => config[field] && String(config[field]) !== "");
    if (ignored)
      throw new ConfigError(`ADALORA has no ${ignored}: PEFT reads it, and does nothing with it`, {
        hint: `leave ${ignored} out, or use LoRA`,
      });
    if (targetR > initR)
      throw new ConfigError(`ADALORA: target_r is ${targetR}, init_r ${initR}: the budget can only fall`, {
        hint: "init_r has to be at least target_r; about 1.5 times it is usual",
      });
    return aboveRank("init_r", initR, layer);
  },
  parameters({ initR, rank = initR, initLoraWeights }, layer) {
    if (layer.kind !== "linear" && layer.kind !== "conv2d")
      throw new ConfigError(`ADALORA is for linear and conv2d layers, got ${layer.kind}`);
    const factor = { kind: "normal", std: initLoraWeights === false ? 1 : 0.02 } as const;
    return {
      A: { shape: [rank, columns(layer)], init: factor, trainable: true },
      E: { shape: [rank, 1], init: initLoraWeights === false ? factor : { kind: "zeros" }, trainable: true },
      B: { shape: [featuresOf(layer).out, rank], init: factor, trainable: true },
    };
  },
  keys: () => ({ A: ["lora_A"], E: ["lora_E"], B: ["lora_B"] }),
  delta,
  merge(weight, { A, B, E }, context, { dtype }) {
    const { layer } = context;
    if (isConv(layer) || A!.shape[0] === 0) return undefined;
    return mergeLowRank(weight, mul(A!, E!), B!, {
      scale: scaleOf(context),
      dtype,
      deltaDtype: B!.dtype,
      transposed: layer.transposed ?? false,
    });
  },
  forward(x, base, params, context, dropout) {
    const { layer } = context;
    const y = forwardBase(layer, base, x);
    const input = cast(dropout ? dropout(x) : x, params.A!.dtype);
    if (isConv(layer)) return cast(add(y, convLike(layer, input, delta(params, context))), y.dtype);
    const low = mul(linear(linear(input, mul(params.A!, params.E!)), params.B!), scaleOf(context));
    return cast(add(y, low), y.dtype);
  },
};
