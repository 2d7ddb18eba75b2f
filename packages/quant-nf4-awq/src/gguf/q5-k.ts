import type { AffineSearch } from "@weft/kernels-wasm/encode";
import { add, bitAnd, bitOr, equal, shiftLeft, shiftRight, where } from "@weft/tensor-core";
import { integerLevels } from "../rounding.js";
import { AFFINE_K, encodeAffineK } from "./affine-k.js";
import { blockFormat, type GgufFormat } from "./block-format.js";

const SEARCH: AffineSearch = { size: 32, most: 31, first: -0.5, step: 0.1, tries: 15, absolute: false };

/** Five bits, f16 scale and minimum of 256 weights, six bits of each for every 32. @see ggml-quants.c quantize_row_q5_K_ref */
export const Q5_K: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q5_k",
  id: 13,
  elements: 256,
  bytes: 176,
  bits: 5,
  levels: integerLevels(5),
  code(byte, j) {
    const l = bitAnd(j, 31);
    const pair = byte(add(add(shiftLeft(shiftRight(j, 6), 5), l), 48));
    const nibble = where(equal(bitAnd(j, 32), 0), bitAnd(pair, 15), shiftRight(pair, 4));
    return bitOr(nibble, shiftLeft(bitAnd(shiftRight(byte(add(l, 16)), shiftRight(j, 5)), 1), 4));
  },
  value: AFFINE_K,
  weighted: true,
  encodeBlock(x, from, block, to, importance) {
    const codes = encodeAffineK(x, from, block, to, SEARCH, "q5_k", importance);
    for (let c = 0; c < 4; c++)
      for (let l = 0; l < 32; l++) {
        const [low, high] = [codes[64 * c + l]!, codes[64 * c + 32 + l]!];
        block[to + 48 + 32 * c + l] = (low & 15) | ((high & 15) << 4);
        block[to + 16 + l]! |= ((low >> 4) << (2 * c)) | ((high >> 4) << (2 * c + 1));
      }
  },
});
