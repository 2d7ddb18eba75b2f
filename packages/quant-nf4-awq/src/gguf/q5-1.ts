import type { GgufFormat } from "./block-format.js";
import { FIVE_BITS, fromSmallest } from "./codes-of-32.js";

/** d · code + m, m the smallest value. @see ggml-quants.c quantize_row_q5_1_ref */
export const Q5_1: GgufFormat = /* @__PURE__ */ fromSmallest({ name: "q5_1", id: 7 }, FIVE_BITS);
