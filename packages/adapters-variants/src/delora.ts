import {
  type AdapterMethod,
  cast,
  type ConfigClass,
  configClass,
  div,
  dropout,
  boolean,
  featuresOf,
  type FieldTable,
  finite,
  initParameters,
  integer,
  linear,
  matmul,
  MAX_RANK,
  maximum,
  mul,
  norm,
  oneOf,
  type Params,
  pattern,
  reshape,
  TARGETING,
  type Tensor,
} from "@weft/tensor-core";
import { additive, fixed, requireKind, stored, trained, wide } from "./define.js";

/** PEFT 0.21.2's `DeloraConfig`. @see peft `tuners/delora/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(8, 1, MAX_RANK),
  delora_lambda: finite(15),
  module_dropout: dropout(),
  bias: oneOf("none", ["none", "all", "delora_only"]),
  init_weights: boolean(true),
  rank_pattern: pattern(1, MAX_RANK, true),
  lambda_pattern: pattern(-Number.MAX_VALUE, Number.MAX_VALUE, false),
};

/** The config of a DeLoRA adapter. */
export interface DeloraConfigFields {
  readonly r: number;
  /** λ of a new adapter: how far it may move from the weight. */
  readonly deloraLambda: number;
  readonly initWeights: boolean;
}

export const DeloraConfig: ConfigClass<DeloraConfigFields> = configClass("DELORA", FIELDS);

/** λ / (r·‖aᵢ‖·‖bᵢ‖) [r], norms no less than 1e-4. */
function scales({ A, B, lambda }: Params): Tensor {
  const [a, b] = [norm(A!, { axes: [1] }), norm(B!, { axes: [0] })].map((n) => maximum(n, 1e-4)) as [Tensor, Tensor];
  return div(div(wide(lambda!), A!.shape[0]!), mul(a, b));
}

/**
 * DeLoRA (Bini et al. 2025): ΔW = B·diag(λ/(r·‖aᵢ‖·‖bᵢ‖))·A·diag(w), with directions and strength λ apart, and w [in] the norms of the weight's
 * columns when the adapter was made. Linear.
 * @see peft `tuners/delora/layer.py`
 */
export const DELORA: AdapterMethod<DeloraConfigFields> = additive({
  name: "DELORA",
  prefix: "delora_",
  fields: FIELDS,
  configFromShapes: (config, _, { A }) => (A ? { ...config, r: A[0]! } : config),
  parameters({ r, deloraLambda, initWeights }, layer) {
    requireKind("DELORA", layer);
    const { in: inputs, out } = featuresOf(layer);
    return {
      A: trained([r, inputs], { kind: "kaimingUniform" }),
      B: trained([out, r], { kind: initWeights ? "zeros" : "kaimingUniform" }),
      lambda: trained([1], { kind: "constant", value: deloraLambda }),
      wNorm: fixed([inputs], { kind: "ones" }),
    };
  },
  keys: () => ({ A: ["delora_A"], B: ["delora_B"], lambda: ["delora_lambda"], wNorm: ["delora_w_norm"] }),
  init(config, layer, generator, weight) {
    const params = initParameters(DELORA.parameters(config, layer), generator);
    return Promise.resolve({ params: weight ? { ...params, wNorm: norm(stored(weight, layer), { axes: [0] }) } : params });
  },
  change: (params) => matmul(wide(params.B!), mul(mul(reshape(scales(params), [-1, 1]), wide(params.A!)), wide(params.wNorm!))),
  added: (x, params) => linear(mul(linear(mul(cast(x, "f32"), params.wNorm!), params.A!), scales(params)), params.B!),
});
