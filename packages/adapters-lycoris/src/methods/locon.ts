import { checkRank } from "@weft/tensor-core/methods";
import { type FieldTable, boolean, loraLinear, mul } from "@weft/tensor-core";
import { LYCORIS_FIELDS, type RankConfig, rankScale } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { type Factors, hasKernel, lowRankDelta, lowRankEffect, trained } from "../parts/low-rank.js";

export interface LoconConfig extends RankConfig {
  /** Convolutions with a kernel have a core of r × r per element of the kernel. */
  readonly useTucker: boolean;
}

const FIELDS: FieldTable = { ...LYCORIS_FIELDS, use_tucker: boolean(false) };

/**
 * LoCon, and LoRA in kohya's and LyCORIS' files: ΔW = s·up·down, for a convolution with a Tucker core ΔW[o, i, κ] = s·Σ_pq up[o,
 * p]·mid[p, q, κ]·down[q, i]; s = alpha / r. Optionally DoRA. Linear and convolutions of any kernel, dilation and groups (`down` reads
 * in/groups channels).
 * @see Hu et al. 2021; lycoris `modules/locon.py`
 */
export const LOCON: LycorisMethod<LoconConfig> = lycorisMethod<LoconConfig>({
  name: "LOCON",
  prefix: "lora_",
  fields: FIELDS,
  checkNew: checkRank,
  marks: { "lora_up.weight": 0 },
  suffixes: { down: "lora_down.weight", up: "lora_up.weight", mid: "lora_mid.weight", doraScale: "dora_scale" },
  scalars: ["alpha"],
  parameters({ r, useTucker }, layer) {
    const [out, inputs, ...kernel] = layer.shape as [number, number, ...number[]];
    const ones = kernel.map(() => 1);
    const tucker = useTucker && hasKernel(layer);
    return {
      down: trained([r, inputs, ...(tucker ? ones : kernel)], "kaimingUniform"),
      up: trained([out, r, ...ones], "zeros"),
      ...(tucker && { mid: trained([r, r, ...kernel], "kaimingUniform") }),
    };
  },
  configFromShapes: (config, _, { down, mid }) => withValues(config, { r: down?.[0] ?? config.r, useTucker: mid !== undefined }),
  delta: (params, { layer, config }) => mul(lowRankDelta(params as unknown as Factors, layer), rankScale(config)),
  effect(x, params, { layer, config }) {
    const y = lowRankEffect(x, params as unknown as Factors, layer);
    return y && mul(y, rankScale(config));
  },
  fused(x, base, { up, down }, { layer, config, scale }) {
    return layer.kind === "linear" ? loraLinear(x, base.weight, down!, up!, rankScale(config) * scale, base.bias) : undefined;
  },
});
