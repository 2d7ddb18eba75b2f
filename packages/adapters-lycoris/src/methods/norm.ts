import type { FieldTable } from "@weft/tensor-core";
import type { LycorisConfig } from "../config.js";
import { type LycorisMethod, lycorisMethod } from "../method.js";
import { trained } from "../parts/low-rank.js";

const FIELDS: FieldTable = {};

/**
 * Norm: weight + c·w_norm and bias + c·b_norm of a layer norm, RMS norm or group norm.
 * @see lycoris `modules/norms.py`
 */
export const NORM: LycorisMethod<LycorisConfig> = lycorisMethod<LycorisConfig>({
  name: "NORM",
  prefix: "",
  fields: FIELDS,
  marks: { w_norm: 6 },
  suffixes: { wNorm: "w_norm", bNorm: "b_norm" },
  takes: ({ kind }) => kind === "norm",
  parameters: (_, { shape, bias }) => ({ wNorm: trained(shape, "zeros"), ...(bias && { bNorm: trained(shape, "zeros") }) }),
  delta: ({ wNorm }) => wNorm!,
  biasDelta: ({ bNorm }) => bNorm,
});
