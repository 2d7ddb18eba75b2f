import { checkRank } from "@weft/tensor-core/methods";
import { CapabilityError, concat, mul, neg, type ParameterSpec, type Params } from "@weft/tensor-core";
import { LYCORIS_FIELDS, type RankConfig, rankScale } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { initialFactors } from "../parts/initial-factors.js";
import { type Factors, hasKernel, isDense, lowRankDelta, lowRankEffect, matrix, trained } from "../parts/low-rank.js";

export interface TloraConfig extends RankConfig {
  /** The factors that training began with are among the parameters, unless false: LyCORIS does not save them; see `initialFactors`. */
  readonly hasInitial?: boolean;
}

/** [P·diag(λ), -P₀·diag(λ₀)] · [Q; Q₀], one product of rank 2r. */
function factors({ q, p, lambda, p0, q0, lambda0 }: Params): Factors {
  if (!p0 || !q0 || !lambda0)
    throw new CapabilityError("TLORA: a file holds the factors after training alone, and the change is measured from those before it", {
      hint: "add `await initialFactors(config, layer, weight)` with the original base weight to the parameters",
    });
  return { up: concat([mul(matrix(p!), lambda!), neg(mul(matrix(p0), lambda0))], 1), down: concat([q!, q0]) };
}

const frozen = (shape: readonly number[]): ParameterSpec => ({ ...trained(shape, "zeros"), trainable: false });

/**
 * T-LoRA: ΔW = s·(P·diag(λ)·Q - P₀·diag(λ₀)·Q₀), with all ranks in use, as at inference; s = alpha / r. P₀, λ₀, Q₀ are what training
 * began with: by default the singular vectors and values of W.
 * @see Soboleva et al. 2025; lycoris `modules/tlora.py`
 */
export const TLORA: LycorisMethod<TloraConfig> = lycorisMethod<TloraConfig>({
  name: "TLORA",
  prefix: "",
  fields: LYCORIS_FIELDS,
  checkNew: checkRank,
  marks: { lambda_layer: 9 },
  suffixes: {
    q: "q_layer.weight",
    p: "p_layer.weight",
    lambda: "lambda_layer",
    q0: "base_q",
    p0: "base_p",
    lambda0: "base_lambda",
  },
  scalars: ["alpha"],
  takes: (layer) => isDense(layer) && !hasKernel(layer),
  parameters({ r, hasInitial }, layer) {
    const [out, inputs, ...ones] = layer.shape as [number, number, ...number[]];
    const [q, p, lambda] = [
      [r, inputs, ...ones],
      [out, r, ...ones],
      [1, r],
    ];
    return {
      q: trained(q, "zeros"),
      p: trained(p, "zeros"),
      lambda: trained(lambda, "zeros"),
      ...(hasInitial !== false && { q0: frozen(q), p0: frozen(p), lambda0: frozen(lambda) }),
    };
  },
  configFromShapes: (config, _, { q, p0 }) => withValues(config, { r: q?.[0] ?? config.r, hasInitial: p0 !== undefined }),
  async init(config, layer, weight) {
    const { q0, p0, lambda0 } = await initialFactors(config, layer, weight);
    return { q: q0!, p: p0!, lambda: lambda0!, q0: q0!, p0: p0!, lambda0: lambda0! };
  },
  delta: (params, { layer, config }) => mul(lowRankDelta(factors(params), layer), rankScale(config)),
  effect: (x, params, { layer, config }) => mul(lowRankEffect(x, factors(params), layer)!, rankScale(config)),
});
