import {
  type AdapterMethod,
  add,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  initParameters,
  linear,
  matmul,
  mul,
  type Params,
  share,
  sizeOf,
  type Tensor,
  tensor,
  strength,
} from "@weft/tensor-core";
import {
  additive,
  fields,
  fixed,
  last,
  normal,
  optional,
  roundedTo,
  roundsDelta,
  type Size,
  trained,
  wide,
  aboveRank,
} from "@weft/tensor-core/methods";
import { sparse } from "./sparse.js";

/** The config of a Supertuning adapter. */
export interface SupertuningConfigFields {
  /** Share of the weights that are not trained. */
  readonly sparsity: number;
  /** The weights of the largest magnitude are trained; else those of the smallest. */
  readonly selectTop: boolean;
  /** Rank of a LoRA beside the values (Supra); null for none. */
  readonly r: number | null;
  /** 2·r if null. */
  readonly loraAlpha: number | null;
  readonly initWeights: boolean;
  /** Number of values, where a file says it. */
  readonly count?: number;
}

const FIELDS = fields("lora", ["dropout", "init_weights"], {
  sparsity: share(0.99),
  select_top: boolean(true),
  r: optional((n) => Number.isInteger(n) && n > 0, "a positive integer"),
  lora_alpha: strength(optional(Number.isFinite, "a finite number")),
  // Without the places in the file, those of equal magnitudes are as torch happens to order them.
  save_precomputed_indices: {
    fallback: true,
    check: (v) => v === true,
    expected: "true: save it again with PEFT so that the file holds the places",
  },
});

/** PEFT's `SupertuningConfig` (`peft_type` SUPERTUNING): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const SupertuningConfig: ConfigClass<SupertuningConfigFields> = configClass("SUPERTUNING", FIELDS);

/** The flat places of the `n` largest or smallest magnitudes, ascending; of equal ones the first. */
function extremes(weight: ArrayLike<number>, n: number, top: boolean): Int32Array {
  const size = Float32Array.from(weight, top ? (w) => -Math.abs(w) : Math.abs);
  const bound = size.toSorted()[n - 1]!;
  let ties = n - size.reduce((count, v) => count + (v < bound ? 1 : 0), 0);
  const places = new Int32Array(n);
  let at = 0;
  for (let i = 0; i < size.length && at < n; i++) if (size[i]! < bound || (size[i] === bound && ties-- > 0)) places[at++] = i;
  return places;
}

/** The factors of the LoRA, scaled. */
const factors = ({ A, B }: Params, { loraAlpha, r }: SupertuningConfigFields): readonly [A: Tensor, B: Tensor] => [
  wide(A!),
  mul(wide(B!), (loraAlpha ?? 2 * r!) / r!),
];

const SPARSE = additive<SupertuningConfigFields>({
  name: "SUPERTUNING",
  prefix: "supertuning_",
  fields: FIELDS,
  checkNew: ({ r }, layer) => (r === null ? [] : aboveRank("r", r, layer)),
  configFromShapes: (config, _, { values, A }) => ({ ...config, r: A ? A[0]! : null, ...(values && { count: values[0]! }) }),
  parameters({ sparsity, r, initWeights, count }, size) {
    const all = size.in * size.out;
    const n = count ?? Math.trunc(all * (1 - sparsity));
    if (n < 1 || n > all) throw new ConfigError(`SUPERTUNING: a sparsity of ${sparsity} trains ${n} of ${all} weights`);
    return {
      values: trained([n], initWeights ? "zeros" : normal()),
      indices: fixed([n]),
      ...(r !== null && { A: trained([r, size.in], "kaimingUniform"), B: trained([size.out, r], last(initWeights)) }),
    };
  },
  names: [],
  change: ({ values, indices }, _, size: Size) => sparse(values!, indices!, size),
});

/**
 * Supertuning: n values added to the weights of extreme magnitude, at the flat places `indices` [n] (i32), and optionally a LoRA beside
 * them (Supra): ΔW = S + α/r·B·A. Dropout is for the LoRA alone. Linear. Files without the places are refused: with equal magnitudes they
 * depend on torch's order.
 * @see peft `tuners/supertuning/layer.py`
 */
export const SUPERTUNING: AdapterMethod<SupertuningConfigFields> = {
  ...SPARSE,
  keys: () => ({
    values: ["supertuning_values"],
    indices: ["supertuning_indices"],
    A: ["supertuning_lora_A.weight"],
    B: ["supertuning_lora_B.weight"],
  }),
  async init(config, layer, generator, weight) {
    if (!weight) throw new ConfigError("SUPERTUNING chooses its places by the base weight, but none was given");
    const specs = SPARSE.parameters(config, layer);
    const { shape } = specs.indices!;
    const places = extremes(await cast(weight, "f32").data(), sizeOf(shape), config.selectTop);
    return { params: { ...initParameters(specs, generator), indices: tensor(places, { shape }) } };
  },
  rounding: roundsDelta,
  delta(params, context) {
    const values = SPARSE.delta(params, context);
    if (!params.A) return values;
    const [A, B] = factors(params, context.config);
    return add(values, mul(matmul(B, A), context.scale));
  },
  merge(weight, params, context, { dtype }) {
    if (!params.A) return undefined;
    // PEFT adds the one and then the other, each in the weight's dtype.
    const rounded = roundedTo(weight.dtype);
    const [A, B] = factors(params, context.config);
    const tuned = rounded(add(wide(weight), rounded(SPARSE.delta(params, context))));
    return cast(add(tuned, rounded(mul(matmul(B, A), context.scale))), dtype);
  },
  forward(x, base, params, context, dropped) {
    const y = SPARSE.forward(x, base, params, context);
    if (!params.A) return y;
    const [A, B] = factors(params, context.config);
    return cast(add(y, mul(linear(linear(wide(dropped ? dropped(x) : x), A), B), context.scale)), y.dtype);
  },
};
