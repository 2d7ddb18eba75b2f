import {
  type AdapterMethod,
  add,
  configClass,
  type ConfigClass,
  finite,
  linear,
  matmul,
  mul,
  reshape,
  transpose,
  strength,
} from "@weft/tensor-core";
import { additive, BY_LAYER, fields, last, rank, requireMultiples, trained, aboveRank } from "@weft/tensor-core/methods";

/** The config of a GraLoRA adapter. */
export interface GraloraConfigFields {
  readonly r: number;
  /** Rank of a plain LoRA beside the blocks; 0 for none. */
  readonly hybridR: number;
  readonly alpha: number;
  /** The weight is k × k blocks. */
  readonly graloraK: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields(
  "gralora",
  ["dropout", "fan_in_fan_out", "bias", "init_weights"],
  {
    r: rank(32),
    hybrid_r: rank(0, 0),
    alpha: strength(finite(64)),
    gralora_k: rank(2),
  },
  BY_LAYER,
);

/** PEFT's `GraloraConfig` (`peft_type` GRALORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const GraloraConfig: ConfigClass<GraloraConfigFields> = configClass("GRALORA", FIELDS);

/** The plain LoRA's. */
const [GENERAL_A, GENERAL_B] = ["A_general.weight", "B_general.weight"] as const;

/**
 * GraLoRA (Jung et al. 2025): k × k blocks of the weight, each with a LoRA of rank r/k: ΔW[j, n] = s·B[j, n]·A[n, j], and optionally a plain
 * LoRA of rank r' over the whole; s = alpha/(r + r'). A [k, in/k, r], B [k, r, out/k]. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/gralora/layer.py`
 */
export const GRALORA: AdapterMethod<GraloraConfigFields> = additive({
  name: "GRALORA",
  prefix: "gralora_",
  fields: FIELDS,
  // A block has a k-th of the weight's sides, and of the rank.
  checkNew: ({ r, hybridR }, layer) => [...aboveRank("r", r, layer), ...aboveRank("hybrid_r", hybridR, layer)],
  configFromShapes: (config, _, { A, [GENERAL_A]: generalA }) =>
    A?.length === 3 ? { ...config, graloraK: A[0]!, r: A[2]!, hybridR: generalA ? generalA[0]! : 0 } : config,
  parameters({ r, hybridR, graloraK: k, initWeights }, size) {
    requireMultiples("GRALORA", "gralora_k", k, [size.in, size.out, r]);
    return {
      A: trained([k, size.in / k, r], "kaimingUniform"),
      B: trained([k, r, size.out / k], last(initWeights)),
      ...(hybridR > 0 && {
        [GENERAL_A]: trained([hybridR, size.in], "kaimingUniform"),
        [GENERAL_B]: trained([size.out, hybridR], last(initWeights)),
      }),
    };
  },
  names: ["A", "B", GENERAL_A, GENERAL_B],
  change({ A, B, [GENERAL_A]: generalA, [GENERAL_B]: generalB }, { r, hybridR, alpha, graloraK: k }, size) {
    // [j, n, o, s] and [j, n, s, i]: of block (j, n) the ranks that A gives to j and B takes from n.
    const b = transpose(reshape(B!, [k, k, r / k, -1]), [0, 1, 3, 2]);
    const a = transpose(reshape(A!, [k, -1, k, r / k]), [2, 0, 3, 1]);
    const blocks = reshape(transpose(matmul(b, a), [0, 2, 1, 3]), [size.out, size.in]);
    return mul(generalA ? add(blocks, matmul(generalB!, generalA)) : blocks, alpha / (r + hybridR));
  },
  added(x, { A, B, [GENERAL_A]: generalA, [GENERAL_B]: generalB }, { r, hybridR, alpha, graloraK: k }, size) {
    const low = matmul(transpose(reshape(x, [-1, k, size.in / k]), [1, 0, 2]), A!);
    const exchanged = reshape(transpose(reshape(low, [k, -1, k, r / k]), [2, 1, 0, 3]), [k, -1, r]);
    const y = reshape(transpose(matmul(exchanged, B!), [1, 0, 2]), [...x.shape.slice(0, -1), size.out]);
    return mul(generalA ? add(y, linear(linear(x, generalA), generalB!)) : y, alpha / (r + hybridR));
  },
});
