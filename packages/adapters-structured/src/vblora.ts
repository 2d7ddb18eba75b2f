import {
  type AdapterMethod,
  boolean,
  cast,
  concat,
  type ConfigClass,
  configClass,
  div,
  equal,
  exp,
  float,
  greaterEqual,
  integer,
  iota,
  less,
  matmul,
  max,
  mul,
  type ParameterSpec,
  reshape,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
  where,
} from "@weft/tensor-core";
import {
  count,
  fields,
  fixed,
  lowRank,
  normal,
  rank,
  requireAtMost,
  requireMultiples,
  trained,
  checkRank,
} from "@weft/tensor-core/methods";

/** The config of a VB-LoRA adapter. */
export interface VBLoRAConfigFields {
  readonly r: number;
  readonly numVectors: number;
  readonly vectorLength: number;
  /** Number of vectors of the bank that make up each piece. */
  readonly topk: number;
  /** The file has the places and weights of those vectors instead of the logits: it cannot be trained further. */
  readonly saveOnlyTopkWeights: boolean;
  readonly fanInFanOut: boolean;
  readonly initVectorBankBound: number;
  readonly initLogitsStd: number;
}

const FIELDS = fields("vblora", ["dropout", "fan_in_fan_out", "bias"], {
  r: rank(4),
  num_vectors: count(256),
  vector_length: count(256),
  topk: integer(2, 1, 64),
  save_only_topk_weights: boolean(false),
  init_vector_bank_bound: float(0.02),
  init_logits_std: float(0.1),
});

/** PEFT's `VBLoRAConfig` (`peft_type` VBLORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const VBLoRAConfig: ConfigClass<VBLoRAConfigFields> = configClass("VBLORA", FIELDS);

/** The parameters of A and of B. */
const logitsOf = (name: string): string => `logits_${name}`;
const placesOf = (name: string): string => `logits_${name}_topk_indices`;
const weightsOf = (name: string): string => `logits_${name}_topk_weights`;

const OVER_LAST = { axes: [-1], keepDims: true };

/** The weights of all vectors [.., v]: a softmax over the k largest logits, 0 elsewhere. */
function mixture(logits: Tensor, k: number): Tensor {
  const constant = stopGradient(logits);
  const top = max(constant, OVER_LAST);
  let least = top;
  for (let i = 1; i < k; i++) least = max(where(less(constant, least), constant, -Infinity), OVER_LAST);
  const e = where(greaterEqual(constant, least), exp(sub(logits, top)), 0);
  return div(e, sum(e, OVER_LAST));
}

const column = (t: Tensor): Tensor => reshape(t, [...t.shape, 1]);

/** The weights of all vectors from k places [.., k] and the first k - 1 weights; the last makes up 1. */
function placed(places: Tensor, weights: Tensor, vectors: number): Tensor {
  const all = concat([weights, sub(1, sum(weights, OVER_LAST))], -1);
  const chosen = equal(column(cast(places, "i32")), iota([...places.shape, vectors], places.shape.length));
  return sum(mul(cast(chosen, "f32"), column(all)), { axes: [-2] });
}

/**
 * VB-LoRA (Li et al. 2024): ΔW = B·A, whose rows (of A) and columns (of B) are pieces, each a mixture of the k vectors of one shared bank [v, l]
 * with the largest logits. Logits of A [r, in/l, v], of B [out/l, r, v]. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/vblora/layer.py`, `model.py`
 */
export const VBLORA: AdapterMethod<VBLoRAConfigFields> = lowRank({
  name: "VBLORA",
  defaultTargets: {
    models: {
      t5: ["q", "k", "v", "o", "wi", "wo"],
      mt5: ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
      bart: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
      opt: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
      "deberta-v2": ["query_proj", "key_proj", "value_proj", "dense"],
    },
  },
  prefix: "vblora_",
  fields: FIELDS,
  checkNew: checkRank,
  configFromShapes: (config, _, shapes) => ({ ...config, saveOnlyTopkWeights: placesOf("A") in shapes }),
  parameters({ r, numVectors, vectorLength: l, topk, saveOnlyTopkWeights, initLogitsStd }, size) {
    requireMultiples("VBLORA", "vector_length", l, [size.in, size.out]);
    requireAtMost("VBLORA", "topk", topk, numVectors);
    const result: { [name: string]: ParameterSpec } = {};
    for (const [name, shape] of Object.entries({ A: [r, size.in / l], B: [size.out / l, r] }))
      if (saveOnlyTopkWeights) {
        result[placesOf(name)] = fixed([...shape, topk]);
        result[weightsOf(name)] = fixed([...shape, topk - 1]);
      } else result[logitsOf(name)] = trained([...shape, numVectors], normal(initLogitsStd));
    return result;
  },
  names: ["A", "B"].flatMap((name) => [logitsOf, placesOf, weightsOf].map((of) => of(name))),
  shared: {
    parameters: ({ numVectors, vectorLength, initVectorBankBound: bound }) => ({
      bank: trained([numVectors, vectorLength], { kind: "uniform", bound }),
    }),
    keys: { bank: ["vblora_vector_bank"] },
  },
  factors(params, { r, topk, numVectors }) {
    const pieces = (name: string): Tensor => {
      const logits = params[logitsOf(name)];
      return matmul(logits ? mixture(logits, topk) : placed(params[placesOf(name)]!, params[weightsOf(name)]!, numVectors), params.bank!);
    };
    return [reshape(pieces("A"), [r, -1]), reshape(transpose(pieces("B"), [0, 2, 1]), [-1, r])];
  },
});
