import {
  add,
  type AdapterMethod,
  boolean,
  type ConfigClass,
  configClass,
  ConfigError,
  dropout,
  featuresOf,
  type FieldTable,
  finite,
  type Init,
  integer,
  matmul,
  MAX_RANK,
  mul,
  oneOf,
  reshape,
  TARGETING,
  transpose,
} from "@weft/tensor-core";
import { additive, lowRank, requireKind, trained, wide } from "./define.js";

/** PEFT 0.21.2's `GraloraConfig`. @see peft `tuners/gralora/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(32, 1, MAX_RANK),
  hybrid_r: integer(0, 0, MAX_RANK),
  alpha: finite(64),
  gralora_dropout: dropout(),
  gralora_k: integer(2, 1, MAX_RANK),
  fan_in_fan_out: boolean(false),
  bias: oneOf("none", ["none", "all", "gralora_only"]),
  init_weights: boolean(true),
};

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

export const GraloraConfig: ConfigClass<GraloraConfigFields> = configClass("GRALORA", FIELDS);

/**
 * GraLoRA (Jung et al. 2025): k × k blocks of the weight, each with a LoRA of rank r/k: ΔW[j, n] = s·B[j, n]·A[n, j], and optionally a plain
 * LoRA of rank r' over the whole; s = alpha/(r + r'). A [k, in/k, r], B [k, r, out/k]. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/gralora/layer.py`
 */
export const GRALORA: AdapterMethod<GraloraConfigFields> = additive({
  name: "GRALORA",
  prefix: "gralora_",
  fields: FIELDS,
  configFromShapes: (config, _, { A, generalA }) =>
    A?.length === 3 ? { ...config, graloraK: A[0]!, r: A[2]!, hybridR: generalA ? generalA[0]! : 0 } : config,
  parameters({ r, hybridR, graloraK: k, initWeights }, layer) {
    requireKind("GRALORA", layer);
    const { in: inputs, out } = featuresOf(layer);
    if (inputs % k !== 0 || out % k !== 0 || r % k !== 0)
      throw new ConfigError(`GRALORA: ${inputs} inputs, ${out} outputs and rank ${r} must be divisible by gralora_k = ${k}`);
    const last: Init = { kind: initWeights ? "zeros" : "kaimingUniform" };
    return {
      A: trained([k, inputs / k, r], { kind: "kaimingUniform" }),
      B: trained([k, r, out / k], last),
      ...(hybridR > 0 && { generalA: trained([hybridR, inputs], { kind: "kaimingUniform" }), generalB: trained([out, hybridR], last) }),
    };
  },
  keys: () => ({
    A: ["gralora_A"],
    B: ["gralora_B"],
    generalA: ["gralora_A_general.weight"],
    generalB: ["gralora_B_general.weight"],
  }),
  change({ A, B, generalA, generalB }, { r, hybridR, alpha, graloraK: k }, layer) {
    // [j, n, o, s] and [j, n, s, i]: of block (j, n) the ranks that A gives to j and B takes from n.
    const b = transpose(reshape(wide(B!), [k, k, r / k, -1]), [0, 1, 3, 2]);
    const a = transpose(reshape(wide(A!), [k, -1, k, r / k]), [2, 0, 3, 1]);
    const { in: inputs, out } = featuresOf(layer);
    const blocks = reshape(transpose(matmul(b, a), [0, 2, 1, 3]), [out, inputs]);
    return mul(generalA ? add(blocks, matmul(wide(generalB!), wide(generalA))) : blocks, alpha / (r + hybridR));
  },
  added(x, { A, B, generalA, generalB }, { r, hybridR, alpha, graloraK: k }, layer) {
    const parts = transpose(reshape(wide(x), [-1, k, A!.shape[1]!]), [1, 0, 2]);
    const low = transpose(reshape(matmul(parts, wide(A!)), [k, -1, k, r / k]), [2, 1, 0, 3]);
    const blocks = transpose(matmul(reshape(low, [k, -1, r]), wide(B!)), [1, 0, 2]);
    const y = reshape(blocks, [...x.shape.slice(0, -1), featuresOf(layer).out]);
    return mul(generalA ? add(y, lowRank(wide(x), generalA, generalB!)) : y, alpha / (r + hybridR));
  },
});
