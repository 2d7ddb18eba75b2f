import type { GgufFormat } from "./block-format.js";
import { FOUR_BITS, fromSmallest } from "./codes-of-32.js";

/** d · code + m, m the smallest value. @see ggml-quants.c quantize_row_q4_1_ref */
export const Q4_1: GgufFormat = /* @__PURE__ */ fromSmallest({ name: "q4_1", id: 3 }, FOUR_BITS);
