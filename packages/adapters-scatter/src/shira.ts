import {
  type AdapterMethod,
  add,
  configClass,
  type ConfigClass,
  featuresOf,
  initParameters,
  mul,
  oneOf,
  reshape,
  slice,
  tensor,
  torchGenerator,
  torchRandperm,
} from "@weft/tensor-core";
import { additive, BY_NAME, fields, fixed, normal, optional, rank, requireAtMost, trained } from "@weft/tensor-core/methods";
import { sparse } from "./sparse.js";

/** The config of a SHiRA adapter. */
export interface ShiraConfigFields {
  /** As many weights are trained as a LoRA of rank r has: r·(in + out). */
  readonly r: number;
  /** Seed of the places that are trained. */
  readonly randomSeed: number | null;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields(
  "shira",
  ["fan_in_fan_out", "init_weights"],
  {
    r: rank(32),
    mask_type: oneOf("random", ["random"]),
    random_seed: optional(Number.isSafeInteger, "an integer"),
  },
  BY_NAME,
);

/** PEFT's `ShiraConfig` (`peft_type` SHIRA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const ShiraConfig: ConfigClass<ShiraConfigFields> = configClass("SHIRA", FIELDS);

/**
 * SHiRA (Bhardwaj et al. 2024): r·(in + out) values added to the weight at fixed places, row and column in `indices` [2, n] (i32). Linear.
 * @see peft `tuners/shira/layer.py`, `mask_functions.py`
 */
export const SHIRA: AdapterMethod<ShiraConfigFields> = additive({
  name: "SHIRA",
  defaultTargets: { models: { phi: ["q_proj", "v_proj"] } },
  prefix: "shira_",
  fields: FIELDS,
  parameters({ r, initWeights }, size) {
    const n = r * (size.in + size.out);
    requireAtMost("SHIRA", "r·(in + out)", n, size.in * size.out);
    return { weight: trained([n], initWeights ? "zeros" : normal()), indices: fixed([2, n]) };
  },
  names: ["weight", "indices"],
  init(config, layer, generator) {
    const params = initParameters(SHIRA.parameters(config, layer), generator);
    const size = featuresOf(layer);
    const n = params.weight!.size;
    const random = config.randomSeed === null ? generator : torchGenerator(config.randomSeed);
    const places = torchRandperm(random, size.in * size.out, n).toSorted();
    const flat = Int32Array.from({ length: 2 * n }, (_, i) => (i < n ? Math.floor(places[i]! / size.in) : places[i - n]! % size.in));
    return Promise.resolve({ params: { ...params, indices: tensor(flat, { shape: [2, n] }) } });
  },
  change({ weight, indices }, _, size) {
    const places = add(mul(slice(indices!, [[0, 1]]), size.in), slice(indices!, [[1, 2]]));
    return sparse(weight!, reshape(places, [-1]), size);
  },
});
