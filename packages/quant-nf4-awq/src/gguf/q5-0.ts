import type { GgufFormat } from "./block-format.js";
import { centred, FIVE_BITS } from "./codes-of-32.js";

/** d · (code - 16): the value of largest magnitude has code 0. @see ggml-quants.c quantize_row_q5_0_ref */
export const Q5_0: GgufFormat = /* @__PURE__ */ centred({ name: "q5_0", id: 6 }, FIVE_BITS);
