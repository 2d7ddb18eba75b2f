import { featuresOf, type FieldTable, zeros } from "@weft/tensor-core";
import type { LycorisConfig } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { trained } from "../parts/low-rank.js";

export interface FullConfig extends LycorisConfig {
  /** A file may hold `diff`, `diffB` or both. Set by `configFromShapes`; without it those that the layer has. */
  readonly parts?: readonly string[];
}

const FIELDS: FieldTable = {};

const WEIGHTS_AND_BIASES = lycorisMethod<FullConfig>({
  name: "FULL",
  prefix: "diff",
  fields: FIELDS,
  // Foreign files have changed biases without changed weights.
  marks: { diff: 5, diff_b: 10 },
  suffixes: { diff: "diff", diffB: "diff_b" },
  takes: () => true,
  parameters({ parts }, layer) {
    const specs = { diff: trained(layer.shape, "zeros"), diffB: trained([featuresOf(layer).out], "zeros") };
    return Object.fromEntries(Object.entries(specs).filter(([name]) => (parts ? parts.includes(name) : name === "diff" || layer.bias)));
  },
  configFromShapes: (config, _, shapes) => withValues(config, { parts: Object.keys(shapes) }),
  delta: ({ diff }, { layer }) => diff ?? zeros(layer.shape),
  biasDelta: ({ diffB }) => diffB,
});

/**
 * Full: W' = W + c·diff, b' = b + c·diff_b, for layers of any kind.
 * @see lycoris `modules/full.py`
 */
export const FULL: LycorisMethod<FullConfig> = {
  ...WEIGHTS_AND_BIASES,
  // Without `diff` the weight stays as it is, bit for bit.
  transform: (weight, { diff }) => (diff ? undefined : weight),
};
