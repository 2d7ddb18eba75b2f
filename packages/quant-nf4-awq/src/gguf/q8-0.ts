import { encodeBlocksOf32 } from "@weft/kernels-wasm/encode";
import { add } from "@weft/tensor-core";
import { tooLarge } from "../f16.js";
import { signedByte } from "../graph.js";
import { INT8_LEVELS } from "../rounding.js";
import { blockFormat, f16At, type GgufFormat } from "./block-format.js";
import { largestMagnitude } from "./extremes.js";

/** d · code, d a 127th of the largest magnitude; halves are rounded away from zero. @see ggml-quants.c quantize_row_q8_0_ref */
export const Q8_0: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q8_0",
  id: 8,
  elements: 32,
  bytes: 34,
  bits: 8,
  levels: INT8_LEVELS,
  code: (byte, j) => signedByte(byte(add(j, 2))),
  value: { group: 32, scale: (byte) => f16At(byte, 0), lowest: -128 },
  encodeBlocks(x, blocks) {
    const beyond = encodeBlocksOf32("encodeQ8_0", x, blocks);
    if (beyond >= 0) throw tooLarge("q8_0", Math.abs(largestMagnitude(x, 32 * beyond, 32)) / 127);
  },
});
