import { encodeBlocksOf32 } from "@weft/kernels-wasm/encode";
import { tooLarge } from "../f16.js";
import type { GgufFormat } from "./block-format.js";
import { centred, FOUR_BITS } from "./codes-of-32.js";
import { largestMagnitude } from "./extremes.js";

/** d · (code - 8): the value of largest magnitude has code 0. @see ggml-quants.c quantize_row_q4_0_ref */
export const Q4_0: GgufFormat = /* @__PURE__ */ centred({ name: "q4_0", id: 2 }, FOUR_BITS, (x, blocks) => {
  const beyond = encodeBlocksOf32("encodeQ4_0", x, blocks);
  if (beyond >= 0) throw tooLarge("q4_0", largestMagnitude(x, 32 * beyond, 32) / -8);
});
