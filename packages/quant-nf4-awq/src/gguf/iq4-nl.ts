import { mul } from "@weft/tensor-core";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { IQ4_LEVELS, putCodes, searchIq4 } from "./iq4.js";
import { FOUR_BITS } from "./codes-of-32.js";

/** d · level of the code. @see ggml-quants.c quantize_iq4_nl */
export const IQ4_NL: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "iq4_nl",
  id: 20,
  elements: 32,
  bytes: 18,
  bits: 4,
  levels: IQ4_LEVELS,
  table: true,
  code: (byte, j) => FOUR_BITS.read(byte, j, 2),
  value: (byte, _, level) => mul(f16At(byte, 0), level),
  encodeBlock(x, from, block, to) {
    const scale = searchIq4(x, from);
    putF16(block, to, scale, "iq4_nl");
    putCodes(x, from, scale === 0 ? 0 : Math.fround(1 / scale), block, to + 2);
  },
});
