import {
  type AdapterMethod,
  configClass,
  type ConfigClass,
  div,
  dropout,
  finite,
  initParameters,
  maximum,
  mul,
  norm,
  pattern,
  reshape,
  type Tensor,
} from "@weft/tensor-core";
import { fields, fixed, last, lowRank, rank, rankFrom, ranks, roundsDelta, stored, trained, checkRank } from "@weft/tensor-core/methods";

/** The config of a DeLoRA adapter. */
export interface DeloraConfigFields {
  readonly r: number;
  /** λ of a new adapter: how far it may move from the weight. */
  readonly deloraLambda: number;
  readonly initWeights: boolean;
}

const FIELDS = fields("delora", ["bias", "init_weights"], {
  r: rank(8),
  delora_lambda: finite(15),
  module_dropout: dropout(),
  rank_pattern: ranks(),
  lambda_pattern: pattern("delora_lambda", -Number.MAX_VALUE, Number.MAX_VALUE, false),
});

/** PEFT's `DeloraConfig` (`peft_type` DELORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const DeloraConfig: ConfigClass<DeloraConfigFields> = configClass("DELORA", FIELDS);

const bounded = (t: Tensor, axis: number): Tensor => maximum(norm(t, { axes: [axis] }), 1e-4);

/**
 * DeLoRA (Bini et al. 2025): ΔW = B·diag(λ/(r·‖aᵢ‖·‖bᵢ‖))·A·diag(w), with directions and strength λ apart, and w [in] the norms of the weight's
 * columns when the adapter was made; norms are no less than 1e-4. Linear.
 * @see peft `tuners/delora/layer.py`
 */
export const DELORA: AdapterMethod<DeloraConfigFields> = lowRank({
  name: "DELORA",
  prefix: "delora_",
  fields: FIELDS,
  checkNew: checkRank,
  configFromShapes: rankFrom("A"),
  parameters: ({ r, deloraLambda, initWeights }, size) => ({
    A: trained([r, size.in], "kaimingUniform"),
    B: trained([size.out, r], last(initWeights)),
    lambda: trained([1], { kind: "constant", value: deloraLambda }),
    w_norm: fixed([size.in], "ones"),
  }),
  names: ["A", "B", "lambda", "w_norm"],
  rounding: roundsDelta,
  init(config, layer, generator, weight) {
    const params = initParameters(DELORA.parameters(config, layer), generator);
    return Promise.resolve({ params: weight ? { ...params, w_norm: norm(stored(weight, layer), { axes: [0] }) } : params });
  },
  factors({ A, B, lambda, w_norm: norms }, { r }) {
    const scales = div(div(lambda!, r), mul(bounded(A!, 1), bounded(B!, 0)));
    return [mul(mul(reshape(scales, [r, 1]), A!), norms!), B!];
  },
});
