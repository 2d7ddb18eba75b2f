import { checkRank } from "@weft/tensor-core/methods";
import { add, cast, conv, forwardBase, isConv, linear, matmul, mul, reshape, swapLast, type Tensor } from "@weft/tensor-core";
import { LYCORIS_FIELDS, type RankConfig, rankScale } from "../config.js";
import { type LycorisMethod, lycorisMethod, rankMask, withValues } from "../method.js";
import { isDense, lowRankDelta, lowRankEffect, matrix, trained } from "../parts/low-rank.js";

/**
 * GLoRA as LyCORIS has it: ΔW = s·(W·(a1·a2) + b1·b2), for a convolution ΔW[o, j, κ] = s·(Σᵢ W[o, i, κ]·(a1·a2)[i, j] + (b1·b2)[o, j,
 * κ]); s = alpha / r. It is computed as base(x + s·a1(a2(x))) + s·b1(b2(x)). No groups.
 * @see Chavan et al. 2023; lycoris `modules/glora.py`
 */
export const LYCORIS_GLORA: LycorisMethod<RankConfig> = lycorisMethod<RankConfig>({
  name: "LYCORIS_GLORA",
  prefix: "",
  fields: LYCORIS_FIELDS,
  checkNew: checkRank,
  marks: { "a1.weight": 8 },
  suffixes: { a1: "a1.weight", a2: "a2.weight", b1: "b1.weight", b2: "b2.weight" },
  scalars: ["alpha"],
  takes: isDense,
  parameters({ r }, layer) {
    const [out, inputs, ...kernel] = layer.shape as [number, number, ...number[]];
    const ones = kernel.map(() => 1);
    return {
      a1: trained([inputs, r, ...ones], "kaimingUniform"),
      a2: trained([r, inputs, ...ones], "zeros"),
      b1: trained([out, r, ...ones], "kaimingUniform"),
      b2: trained([r, inputs, ...kernel], "zeros"),
    };
  },
  configFromShapes: (config, _, { a2 }) => withValues(config, { r: a2?.[0] ?? config.r }),
  transform(weight, { a1, a2, b1, b2 }, { layer, config, scale }, unmerged) {
    const [out, inputs] = layer.shape as [number, number];
    const a = swapLast(matmul(matrix(a1!), matrix(a2!)));
    const turned = reshape(matmul(a, reshape(unmerged, [out, inputs, -1])), layer.shape);
    return add(weight, mul(add(turned, lowRankDelta({ up: b1!, down: b2! }, layer)), rankScale(config) * scale));
  },
  forward(x, base, { a1, a2, b1, b2 }, { layer, config, scale, mask }) {
    /** With the ranks that a training step leaves; LyCORIS keeps as many as it should drop. */
    const kept = (down: Tensor): Tensor => {
      const ranks = rankMask(config, mask, [config.r, ...down.shape.slice(1).map(() => 1)]);
      return ranks ? mul(down, ranks) : down;
    };
    const { moduleDropout } = config;
    const strength = rankScale(config) * scale;
    const s = mask && moduleDropout > 0 ? mul(mask([], moduleDropout), strength) : strength;
    const input = cast(x, "f32");
    const pointwise = (t: Tensor, w: Tensor): Tensor => (isConv(layer) ? conv(t, w) : linear(t, w));
    const moved = cast(add(input, mul(pointwise(pointwise(input, kept(a2!)), a1!), s)), x.dtype);
    return add(forwardBase(layer, base, moved), mul(lowRankEffect(input, { up: b1!, down: kept(b2!) }, layer)!, s));
  },
});
