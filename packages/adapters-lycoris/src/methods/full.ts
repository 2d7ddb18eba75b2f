import { type FieldTable, zeros } from "@weft/tensor-core";
import type { LycorisConfig } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { trained } from "../parts/low-rank.js";

export interface FullConfig extends LycorisConfig {
  /** A file may hold `diff`, `diff_b` or both; set by `configFromShapes`. */
  readonly parts?: readonly string[];
}

const FIELDS: FieldTable = {};

/**
 * Full: W' = W + c·diff, b' = b + c·diff_b, for layers of any kind.
 * @see lycoris `modules/full.py`
 */
export const FULL: LycorisMethod<FullConfig> = lycorisMethod<FullConfig>({
  name: "FULL",
  prefix: "diff",
  fields: FIELDS,
  suffixes: { diff: "diff", diffB: "diff_b" },
  takes: () => true,
  parameters({ parts = ["diff", "diffB"] }, { shape, bias }) {
    const specs = { diff: trained(shape, "zeros"), ...((bias || parts.length === 1) && { diffB: trained([shape[0]!], "zeros") }) };
    return Object.fromEntries(Object.entries(specs).filter(([name]) => parts.includes(name)));
  },
  configFromShapes: (config, _, shapes) => withValues(config, { parts: Object.keys(shapes) }),
  delta: ({ diff }, { layer }) => diff ?? zeros(layer.shape),
  biasDelta: ({ diffB }) => diffB,
});
