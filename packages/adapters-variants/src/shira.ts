import {
  add,
  type AdapterMethod,
  boolean,
  type ConfigClass,
  configClass,
  ConfigError,
  featuresOf,
  type FieldTable,
  initParameter,
  integer,
  MAX_RANK,
  mul,
  oneOf,
  reshape,
  slice,
  TARGETING,
  tensor,
  torchGenerator,
  torchRandperm,
} from "@weft/tensor-core";
import { additive, fixed, requireKind, trained } from "./define.js";
import { sparse } from "./sparse.js";

/** PEFT 0.21.2's `ShiraConfig`. @see peft `tuners/shira/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(32, 1, MAX_RANK),
  mask_type: oneOf("random", ["random"]),
  random_seed: {
    fallback: null,
    check: (v) => v === null || Number.isSafeInteger(v),
    expected: "an integer",
  },
  fan_in_fan_out: boolean(false),
  init_weights: boolean(true),
};

/** The config of a SHiRA adapter. */
export interface ShiraConfigFields {
  /** As many weights are trained as a LoRA of rank r has: r·(in + out). */
  readonly r: number;
  /** Seed of the places that are trained. */
  readonly randomSeed: number | null;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

export const ShiraConfig: ConfigClass<ShiraConfigFields> = configClass("SHIRA", FIELDS);

/**
 * SHiRA (Bhardwaj et al. 2024): r·(in + out) values added to the weight at fixed places, row and column in `indices` [2, n] (i32). Linear.
 * @see peft `tuners/shira/layer.py`, `mask_functions.py`
 */
export const SHIRA: AdapterMethod<ShiraConfigFields> = additive({
  name: "SHIRA",
  prefix: "shira_",
  fields: FIELDS,
  configFromShapes(config, layer, { weight }) {
    const { in: inputs, out } = featuresOf(layer);
    return weight?.length === 1 ? { ...config, r: weight[0]! / (inputs + out) } : config;
  },
  parameters({ r, initWeights }, layer) {
    requireKind("SHIRA", layer);
    const { in: inputs, out } = featuresOf(layer);
    const n = r * (inputs + out);
    if (n > inputs * out) throw new ConfigError(`SHIRA: r = ${r} asks for ${n} values, but the layer has ${inputs * out}`);
    return { weight: trained([n], initWeights ? { kind: "zeros" } : { kind: "normal", std: 1 }), indices: fixed([2, n]) };
  },
  keys: () => ({ weight: ["shira_weight"], indices: ["shira_indices"] }),
  init(config, layer, generator) {
    const { weight, indices } = SHIRA.parameters(config, layer);
    const { in: inputs, out } = featuresOf(layer);
    const n = weight!.shape[0]!;
    const places = torchRandperm(config.randomSeed === null ? generator : torchGenerator(config.randomSeed), inputs * out, n).toSorted();
    const flat = Int32Array.from({ length: 2 * n }, (_, i) => (i < n ? Math.floor(places[i]! / inputs) : places[i - n]! % inputs));
    return Promise.resolve({ params: { weight: initParameter(weight!, generator), indices: tensor(flat, { shape: indices!.shape }) } });
  },
  change({ weight, indices }, _, layer) {
    const { in: inputs, out } = featuresOf(layer);
    const [rows, columns] = [slice(indices!, [[0, 1]]), slice(indices!, [[1, 2]])];
    return sparse(weight!, reshape(add(mul(rows, inputs), columns), [-1]), out, inputs);
  },
});
