import { type AdapterMethod, configClass, type ConfigClass, isConv, matmul, mul, oneOf, reshape, swapLast } from "@weft/tensor-core";
import { fields, normal, rank, rankFrom, ranks, rewriting, roundsDelta, trained, checkRank } from "@weft/tensor-core/methods";

/** The config of a HiRA adapter. */
export interface HiraConfigFields {
  readonly r: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean | "gaussian" | null;
}

const FIELDS = fields("hira", ["dropout", "fan_in_fan_out"], {
  r: rank(32),
  init_weights: oneOf<boolean | string | null>(true, [true, false, null, "gaussian"]),
  rank_pattern: ranks(),
});

/** PEFT's `HiraConfig` (`peft_type` HIRA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const HiraConfig: ConfigClass<HiraConfigFields> = configClass("HIRA", FIELDS);

/**
 * HiRA (Huang et al. 2025): ΔW = W ⊙ (B·A), A [r, in·∏kernel], B [out, r]: of high rank, though B·A is not. Linear, Conv1D, Embedding and Conv1d/2d/3d.
 * @see peft `tuners/hira/layer.py`
 */
export const HIRA: AdapterMethod<HiraConfigFields> = rewriting({
  name: "HIRA",
  prefix: "hira_",
  fields: FIELDS,
  checkNew: checkRank,
  kinds: ["linear", "embedding", "conv1d", "conv2d", "conv3d"],
  configFromShapes: rankFrom("A", "embedding_A"),
  parameters({ r, initWeights }, size, layer) {
    const kernel = isConv(layer) ? layer.shape.slice(2) : [];
    if (layer.kind === "embedding") return { embedding_A: trained([r, size.in]), embedding_B: trained([size.out, r], normal()) };
    return {
      A: trained([r, size.in, ...kernel], initWeights === true ? "kaimingUniform" : normal(initWeights === "gaussian" ? 1 / r : 1)),
      B: trained([size.out, r, ...kernel.map(() => 1)], initWeights ? "zeros" : normal()),
    };
  },
  names: ({ kind }) => (kind === "embedding" ? ["embedding_A", "embedding_B"] : ["A", "B"]),
  rounding: roundsDelta,
  change(weight, { A, B, embedding_A: a, embedding_B: b }, { r }, _, rounded) {
    const product = a ? swapLast(matmul(b!, a)) : matmul(reshape(B!, [-1, r]), reshape(A!, [r, -1]));
    return mul(weight, reshape(rounded(product), weight.shape));
  },
});
