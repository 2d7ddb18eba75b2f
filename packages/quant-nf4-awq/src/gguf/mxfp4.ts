import { mul } from "@weft/tensor-core";
import { E2M1, e2m1Code } from "../float/e2m1.js";
import { exponentOf, powerOf } from "../float/e8m0.js";
import { blockFormat, type GgufFormat } from "./block-format.js";
import { largestMagnitude } from "./extremes.js";
import { FOUR_BITS } from "./codes-of-32.js";

/** e2m1 of the code · 2^(e - 127), as ggml orders it: twice the number, times half the power. @see ggml-quants.c quantize_row_mxfp4_ref */
export const GGUF_MXFP4: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "gguf-mxfp4",
  id: 39,
  elements: 32,
  bytes: 17,
  bits: 4,
  levels: E2M1.map((v) => 2 * v),
  table: true,
  code: (byte, j) => FOUR_BITS.read(byte, j, 1),
  value: (byte, _, level) => mul(powerOf(byte(0), 1), level),
  encodeBlock(x, from, block, to) {
    const e = exponentOf(Math.abs(largestMagnitude(x, from, 32)));
    block[to] = e;
    const inverse = 2 ** (127 - e);
    FOUR_BITS.put((j) => e2m1Code(x[from + j]! * inverse), block, to + 1);
  },
});
