import { checkRank } from "@weft/tensor-core/methods";
import { type ConfigClass, configClass, matmul, mul, reshape, swapLast } from "@weft/tensor-core";
import { PEFT_FIELDS, type RankConfig, rankScale } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { hasKernel, trained } from "../parts/low-rank.js";
import { tuckerRebuild } from "../parts/tucker.js";

export interface LohaConfigFields extends RankConfig {
  /** Convolutions with a kernel have a core of r × r per element of the kernel (Tucker). */
  readonly useEffectiveConv2d: boolean;
  readonly initWeights: boolean;
}

/**
 * A checked config under PEFT's rules, of PEFT's JSON or camelCase; `lycorisConfig(LOHA, …)` makes one under LyCORIS'.
 * @throws ConfigError naming the field
 */
export const LohaConfig: ConfigClass<LohaConfigFields> = configClass("LOHA", PEFT_FIELDS);

/**
 * LoHa: ΔW = s·(w1_a·w1_b) ⊙ (w2_a·w2_b), of rank up to r²; with Tucker cores each factor is H[o, i, κ] = Σ_pq a[p, o]·t[p, q, κ]·b[q,
 * i]; s = alpha / r. One definition for PEFT's and LyCORIS' files, whose keys are the same. There is no path cheaper than ΔW.
 * @see Hyeon-Woo et al. 2021 (FedPara); peft `tuners/loha/layer.py`; lycoris `modules/loha.py`
 */
export const LOHA: LycorisMethod<LohaConfigFields> = lycorisMethod<LohaConfigFields>({
  name: "LOHA",
  prefix: "hada_",
  fields: PEFT_FIELDS,
  checkNew: checkRank,
  marks: { hada_w1_a: 1 },
  suffixes: {
    w1a: "hada_w1_a",
    w1b: "hada_w1_b",
    w2a: "hada_w2_a",
    w2b: "hada_w2_b",
    t1: "hada_t1",
    t2: "hada_t2",
    doraScale: "dora_scale",
  },
  scalars: ["alpha"],
  parameters({ r, useEffectiveConv2d, dialect, initWeights }, layer) {
    const [out, inputs, ...kernel] = layer.shape as [number, number, ...number[]];
    const tucker = useEffectiveConv2d && hasKernel(layer);
    const lycoris = dialect === "lycoris";
    const a = tucker ? [r, out] : [out, r];
    const b = [r, tucker ? inputs : inputs * kernel.reduce((x, y) => x * y, 1)];
    // PEFT gives the core of a Conv1d the axes of a Conv2d's.
    const core = trained([r, r, ...kernel, ...(kernel.length === 1 && !lycoris ? [1] : [])], lycoris ? 0.1 : "kaimingUniform");
    const nothing = initWeights ? "zeros" : "kaimingUniform";
    return {
      w1a: trained(a, lycoris ? 0.1 : "kaimingUniform"),
      w1b: trained(b, lycoris ? 1 : "kaimingUniform"),
      w2a: trained(a, lycoris ? nothing : "kaimingUniform"),
      w2b: trained(b, lycoris ? 1 : nothing),
      ...(tucker && { t1: core, t2: core }),
    };
  },
  configFromShapes: (config, _, { w1b, t1 }) => withValues(config, { r: w1b?.[0] ?? config.r, useEffectiveConv2d: t1 !== undefined }),
  delta({ w1a, w1b, w2a, w2b, t1, t2 }, { layer, config }) {
    const [one, two] =
      t1 && t2
        ? [tuckerRebuild(swapLast(w1a!), t1, w1b!, layer.shape), tuckerRebuild(swapLast(w2a!), t2, w2b!, layer.shape)]
        : [matmul(w1a!, w1b!), matmul(w2a!, w2b!)];
    return mul(reshape(mul(one, two), layer.shape), rankScale(config));
  },
});
