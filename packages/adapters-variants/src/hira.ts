import {
  type AdapterMethod,
  boolean,
  type ConfigClass,
  configClass,
  dropout,
  featuresOf,
  type FieldTable,
  type Init,
  integer,
  isConv,
  matmul,
  MAX_RANK,
  mul,
  oneOf,
  pattern,
  reshape,
  swapLast,
  TARGETING,
} from "@weft/tensor-core";
import { requireKind, rewriting, trained, wide } from "./define.js";

/** PEFT 0.21.2's `HiraConfig`. @see peft `tuners/hira/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(32, 1, MAX_RANK),
  hira_dropout: dropout(),
  fan_in_fan_out: boolean(false),
  init_weights: oneOf<boolean | string | null>(true, [true, false, null, "gaussian"]),
  rank_pattern: pattern(1, MAX_RANK, true),
};

/** The config of a HiRA adapter. */
export interface HiraConfigFields {
  readonly r: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean | "gaussian" | null;
}

export const HiraConfig: ConfigClass<HiraConfigFields> = configClass("HIRA", FIELDS);

/**
 * HiRA (Huang et al. 2025): ΔW = W ⊙ (B·A), A [r, in·∏kernel], B [out, r]: of high rank, though B·A is not. Linear, Conv1D, Embedding and Conv1d/2d/3d.
 * @see peft `tuners/hira/layer.py`
 */
export const HIRA: AdapterMethod<HiraConfigFields> = rewriting({
  name: "HIRA",
  prefix: "hira_",
  fields: FIELDS,
  configFromShapes: (config, _, { A }) => (A ? { ...config, r: A[0]! } : config),
  parameters({ r, initWeights }, layer) {
    requireKind("HIRA", layer, ["linear", "embedding", "conv1d", "conv2d", "conv3d"]);
    const { in: inputs, out } = featuresOf(layer);
    const kernel = isConv(layer) ? layer.shape.slice(2) : [];
    const a: Init = initWeights === true ? { kind: "kaimingUniform" } : { kind: "normal", std: initWeights === "gaussian" ? 1 / r : 1 };
    const isEmbedding = layer.kind === "embedding";
    const b: Init = isEmbedding || !initWeights ? { kind: "normal", std: 1 } : { kind: "zeros" };
    return {
      A: trained([r, inputs, ...kernel], isEmbedding ? { kind: "zeros" } : a),
      B: trained([out, r, ...kernel.map(() => 1)], b),
    };
  },
  keys: ({ kind }) => (kind === "embedding" ? { A: ["hira_embedding_A"], B: ["hira_embedding_B"] } : { A: ["hira_A"], B: ["hira_B"] }),
  change(weight, { A, B }, { r }, layer) {
    const product = matmul(reshape(wide(B!), [-1, r]), reshape(wide(A!), [r, -1]));
    return mul(weight, reshape(layer.kind === "embedding" ? swapLast(product) : product, weight.shape));
  },
});
