import {
  type AdapterContext,
  type AdapterMethod,
  add,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  type FieldTable,
  forwardBase,
  gather,
  greaterEqual,
  maximum,
  mul,
  type Params,
  reshape,
  stringOrList,
  sub,
  tensor,
  type Tensor,
  torchNormal,
  where,
} from "@weft/tensor-core";

/** PEFT 0.21.2's `TrainableTokensConfig` fields and defaults. @see peft `tuners/trainable_tokens/config.py` */
const FIELDS: FieldTable = {
  token_indices: {
    fallback: [],
    check: (v) => Array.isArray(v) && v.every((i) => Number.isInteger(i) && i >= 0) && new Set(v).size === v.length,
    expected: "a list of different token ids",
  },
  target_modules: stringOrList(),
  init_weights: boolean(true),
};

/** The config of trained embedding rows. */
export interface TrainableTokensConfigFields {
  /** Ids of the tokens whose rows are trained, in the order of the rows. */
  readonly tokenIndices: readonly number[];
  /** Embeddings by name; null is the model's input embedding. */
  readonly targetModules: string | readonly string[] | null;
  /** Rows begin as the base's; otherwise they are random. */
  readonly initWeights: boolean;
}

/** PEFT's `TrainableTokensConfig` (`peft_type` TRAINABLE_TOKENS): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const TrainableTokensConfig: ConfigClass<TrainableTokensConfigFields> = configClass("TRAINABLE_TOKENS", FIELDS);

type Context = AdapterContext<TrainableTokensConfigFields>;

/** For each token of the vocabulary the place of its new row, or -1: i32 [vocabulary]. */
function slots({ layer, config }: Context): Tensor {
  const table = new Int32Array(layer.shape[0]!).fill(-1);
  config.tokenIndices.forEach((token, row) => {
    table[token] = row;
  });
  return tensor(table, { shape: [table.length] });
}

/** `base` with the new rows where `slot` (its shape without the last axis) names one. */
function replace(base: Tensor, slot: Tensor, { rows }: Params, { scale }: Context): Tensor {
  const found = cast(gather(rows!, maximum(slot, 0), 0), base.dtype);
  const chosen = reshape(greaterEqual(slot, 0), [...slot.shape, 1]);
  // At the user's strength c the row goes the share c of the way.
  return where(chosen, scale === 1 ? found : add(base, mul(sub(found, base), scale)), base);
}

/**
 * Trainable tokens: some rows of an embedding are replaced by trained ones (despite the name `trainable_tokens_delta` nothing is added).
 * Embeddings, and linear layers that share an embedding's weight.
 * @see peft `tuners/trainable_tokens/layer.py`
 */
export const TRAINABLE_TOKENS: AdapterMethod<TrainableTokensConfigFields> = {
  name: "TRAINABLE_TOKENS",
  prefix: "trainable_tokens_",
  fields: FIELDS,
  parameters({ tokenIndices }, layer) {
    if (layer.kind !== "embedding" && layer.kind !== "linear")
      throw new ConfigError(`TRAINABLE_TOKENS is for embeddings and the linear layers tied to them, got ${layer.kind}`);
    const outside = tokenIndices.find((token) => token >= layer.shape[0]!);
    if (outside !== undefined) throw new ConfigError(`token_indices has ${outside}, but the embedding has ${layer.shape[0]} rows`);
    return { rows: { shape: [tokenIndices.length, layer.shape[1]!], init: { kind: "normal", std: 1 }, trainable: true } };
  },
  keys: () => ({ rows: ["trainable_tokens_delta"] }),
  async init(config, layer, generator, weight) {
    const { rows } = TRAINABLE_TOKENS.parameters(config, layer);
    if (config.initWeights && weight)
      return { params: { rows: gather(weight, tensor(Int32Array.from(config.tokenIndices), { shape: [config.tokenIndices.length] }), 0) } };
    const values = torchNormal(generator, rows!.shape[0]! * rows!.shape[1]!);
    return { params: { rows: tensor(values, { shape: rows!.shape }) } };
  },
  transform: (weight, params, context) => replace(weight, slots(context), params, context),
  forward(x, base, params, context) {
    const { layer } = context;
    if (layer.kind === "linear") return forwardBase(layer, base, x, replace(base.weight, slots(context), params, context));
    return replace(forwardBase(layer, base, x), gather(slots(context), x, 0), params, context);
  },
};
