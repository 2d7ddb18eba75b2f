import { add, bitAnd, bitcast, bitOr, equal, less, mul, shiftLeft, shiftRight, where } from "@weft/tensor-core";
import { E2M1 } from "../float/e2m1.js";
import { float } from "../graph.js";
import { blockFormat, type GgufFormat } from "./block-format.js";

/** e2m1 of the code · an unsigned e4m3 scale for every 16 weights. Read only. @see gguf-py `quants.py` NVFP4 */
export const GGUF_NVFP4: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "gguf-nvfp4",
  id: 40,
  elements: 64,
  bytes: 36,
  bits: 4,
  levels: E2M1.map((v) => 2 * v),
  table: true,
  code(byte, j) {
    const pair = byte(add(add(shiftLeft(shiftRight(j, 4), 3), bitAnd(j, 7)), 4));
    return where(less(bitAnd(j, 15), 8), bitAnd(pair, 15), shiftRight(pair, 4));
  },
  value(byte, j, level) {
    const scale = byte(shiftRight(j, 4));
    const [exponent, mantissa] = [bitAnd(shiftRight(scale, 3), 15), bitAnd(scale, 7)];
    // Half of the scale, as levels are twice e2m1.
    const normal = bitcast(bitOr(shiftLeft(add(exponent, 127 - 8), 23), shiftLeft(mantissa, 20)), "f32");
    const half = where(equal(exponent, 0), mul(float(mantissa), 2 ** -10), normal);
    return mul(where(equal(scale, 0x7f), 0, half), level);
  },
});
