import {
  add,
  type AdapterMethod,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  dropout,
  featuresOf,
  type Field,
  type FieldTable,
  finite,
  initParameters,
  matmul,
  mul,
  sizeOf,
  TARGETING,
  tensor,
} from "@weft/tensor-core";
import { additive, fixed, requireKind, trained, wide } from "./define.js";
import { sparse } from "./sparse.js";

const optional = (check: (n: number) => boolean, expected: string): Field => ({
  fallback: null,
  check: (v) => v === null || (typeof v === "number" && check(v)),
  expected,
});

/** PEFT 0.21.2's `SupertuningConfig`. @see peft `tuners/supertuning/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  sparsity: finite(0.99),
  select_top: boolean(true),
  r: optional((n) => Number.isInteger(n) && n > 0, "a positive integer"),
  lora_alpha: optional(Number.isFinite, "a finite number"),
  lora_dropout: dropout(),
  init_weights: boolean(true),
  save_precomputed_indices: boolean(true),
};

/** The config of a Supertuning adapter. */
export interface SupertuningConfigFields {
  /** Share of the weights that are not trained. */
  readonly sparsity: number;
  /** The weights of the largest magnitude are trained; else those of the smallest. */
  readonly selectTop: boolean;
  /** Rank of a LoRA beside the values; null for none. */
  readonly r: number | null;
  readonly loraAlpha: number | null;
  readonly initWeights: boolean;
  /** Number of values, where a file says it. */
  readonly count?: number;
}

export const SupertuningConfig: ConfigClass<SupertuningConfigFields> = configClass("SUPERTUNING", FIELDS);

/**
 * Supertuning: values added to the weights of extreme magnitude, at the flat places `indices` [n] (i32), and optionally a LoRA (Supra).
 * Linear. Adapters that were saved without their places cannot be read: torch's order of equal magnitudes is not defined.
 * @see peft `tuners/supertuning/layer.py`
 */
export const SUPERTUNING: AdapterMethod<SupertuningConfigFields> = additive({
  name: "SUPERTUNING",
  prefix: "supertuning_",
  fields: FIELDS,
  configFromShapes: (config, _, { values, A }) => ({ ...config, r: A ? A[0]! : null, ...(values && { count: values[0]! }) }),
  parameters({ sparsity, r, initWeights, count }, layer) {
    requireKind("SUPERTUNING", layer);
    const { in: inputs, out } = featuresOf(layer);
    const n = count ?? Math.trunc(inputs * out * (1 - sparsity));
    if (n < 1 || n > inputs * out) throw new ConfigError(`SUPERTUNING: a sparsity of ${sparsity} trains ${n} of ${inputs * out} weights`);
    return {
      values: trained([n], initWeights ? { kind: "zeros" } : { kind: "normal", std: 1 }),
      indices: fixed([n]),
      ...(r !== null && {
        A: trained([r, inputs], { kind: "kaimingUniform" }),
        B: trained([out, r], { kind: initWeights ? "zeros" : "kaimingUniform" }),
      }),
    };
  },
  keys: () => ({
    values: ["supertuning_values"],
    indices: ["supertuning_indices"],
    A: ["supertuning_lora_A.weight"],
    B: ["supertuning_lora_B.weight"],
  }),
  async init(config, layer, generator, weight) {
    if (!weight) throw new ConfigError("SUPERTUNING chooses its places by the base weight, but none was given");
    const specs = SUPERTUNING.parameters(config, layer);
    const size = (await cast(weight, "f32").data()).map(Math.abs);
    const order = Int32Array.from({ length: sizeOf(layer.shape) }, (_, i) => i);
    order.sort((a, b) => (config.selectTop ? size[b]! - size[a]! : size[a]! - size[b]!));
    const { shape } = specs.indices!;
    return { params: { ...initParameters(specs, generator), indices: tensor(order.slice(0, shape[0]), { shape }) } };
  },
  change({ values, indices, A, B }, { loraAlpha, r }, layer) {
    const { in: inputs, out } = featuresOf(layer);
    const change = sparse(values!, indices!, out, inputs);
    return A ? add(change, mul(matmul(wide(B!), wide(A)), (loraAlpha ?? 0) / r!)) : change;
  },
});
