import { blockSearch } from "@weft/kernels-wasm/encode";
import { add, bitAnd, bitOr, less, mul, shiftLeft, shiftRight, where } from "@weft/tensor-core";
import { float, signedByte } from "../graph.js";
import { integerLevels, roundHalfToEven } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { codesOf, NOTHING } from "./symmetric-search.js";

const { fround } = Math;
const [QH, SCALES, D] = [128, 192, 208];
const codes = new Uint8Array(256);

/** Six bits, an f16 scale of 256 weights, eight bits of it for every 16. @see ggml-quants.c quantize_row_q6_K_ref */
export const Q6_K: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q6_k",
  id: 14,
  elements: 256,
  bytes: 210,
  bits: 6,
  levels: integerLevels(6, 32),
  code(byte, j) {
    const [half, quarter, l] = [shiftRight(j, 7), bitAnd(shiftRight(j, 5), 3), bitAnd(j, 31)];
    const pair = byte(add(add(shiftLeft(half, 6), shiftLeft(bitAnd(quarter, 1), 5)), l));
    const low = where(less(quarter, 2), bitAnd(pair, 15), shiftRight(pair, 4));
    const high = bitAnd(shiftRight(byte(add(add(shiftLeft(half, 5), l), QH)), shiftLeft(quarter, 1)), 3);
    return bitOr(low, shiftLeft(high, 4));
  },
  value: {
    group: 16,
    scale: (byte, j) => mul(f16At(byte, D), float(signedByte(byte(add(shiftRight(j, 4), SCALES))))),
    zero: 32,
  },
  weighted: true,
  encodeBlock(x, from, block, to, importance) {
    const found = blockSearch();
    const { scales, inverses } = found;
    found.load(x, from);
    if (importance) found.weights.set(importance.weights.subarray(importance.column, importance.column + 256));
    found.symmetric(16, 32, importance !== undefined);
    let most = 0;
    for (let g = 0; g < 16; g++) if (Math.abs(scales[g]!) > Math.abs(most)) most = scales[g]!;
    if (Math.abs(most) < NOTHING) return;
    const inverse = fround(-128 / most);
    const d = putF16(block, to + D, fround(1 / inverse), "q6_k");
    for (let g = 0; g < 16; g++) {
      const scale = Math.min(127, roundHalfToEven(fround(inverse * scales[g]!)));
      block[to + SCALES + g] = scale;
      const step = fround(d * scale);
      // Where no scale is left the codes of the search stay.
      if (step === 0) codesOf(inverses[g]!, found.x, 16 * g, 32, codes);
      else
        for (let i = 16 * g; i < 16 * (g + 1); i++) {
          const code = roundHalfToEven(fround(x[from + i]! / step));
          codes[i] = 32 + (code < -32 ? -32 : code > 31 ? 31 : code);
        }
    }
    for (let half = 0; half < 2; half++)
      for (let l = 0; l < 32; l++) {
        const at = 128 * half + l;
        const a = codes[at]!;
        const b = codes[at + 32]!;
        const c = codes[at + 64]!;
        const e = codes[at + 96]!;
        block[to + 64 * half + l] = (a & 15) | ((c & 15) << 4);
        block[to + 64 * half + 32 + l] = (b & 15) | ((e & 15) << 4);
        block[to + QH + 32 * half + l] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((e >> 4) << 6);
      }
  },
});
