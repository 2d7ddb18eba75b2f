import type { AffineSearch } from "@weft/kernels-wasm/encode";
import { add, bitAnd, equal, shiftLeft, shiftRight, where } from "@weft/tensor-core";
import { integerLevels } from "../rounding.js";
import { AFFINE_K, encodeAffineK } from "./affine-k.js";
import { blockFormat, type GgufFormat } from "./block-format.js";

const SEARCH: AffineSearch = { size: 32, most: 15, first: -1, step: 0.1, tries: 20, absolute: false };

/** Four bits, f16 scale and minimum of 256 weights, six bits of each for every 32. @see ggml-quants.c quantize_row_q4_K_ref */
export const Q4_K: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q4_k",
  id: 12,
  elements: 256,
  bytes: 144,
  bits: 4,
  levels: integerLevels(4),
  code(byte, j) {
    const pair = byte(add(add(shiftLeft(shiftRight(j, 6), 5), bitAnd(j, 31)), 16));
    return where(equal(bitAnd(j, 32), 0), bitAnd(pair, 15), shiftRight(pair, 4));
  },
  value: AFFINE_K,
  weighted: true,
  encodeBlock(x, from, block, to, importance) {
    const codes = encodeAffineK(x, from, block, to, SEARCH, "q4_k", importance);
    for (let c = 0; c < 4; c++)
      for (let l = 0; l < 32; l++) block[to + 16 + 32 * c + l] = codes[64 * c + l]! | (codes[64 * c + 32 + l]! << 4);
  },
});
