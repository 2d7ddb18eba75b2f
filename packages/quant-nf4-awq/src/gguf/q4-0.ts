import type { GgufFormat } from "./block-format.js";
import { centred, FOUR_BITS } from "./codes-of-32.js";

/** d · (code - 8): the value of largest magnitude has code 0. @see ggml-quants.c quantize_row_q4_0_ref */
export const Q4_0: GgufFormat = /* @__PURE__ */ centred({ name: "q4_0", id: 2 }, FOUR_BITS);
