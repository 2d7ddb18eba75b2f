import { INT8_ROWS } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { roundF16, tooLarge } from "../f16.js";
import { int } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { INT8_LEVELS, roundHalfToEven } from "../rounding.js";

const { fround } = Math;

/**
 * LLM.int8's weights, which are `INT8_ROWS`: absmax = max |w| of the row, codes = w · (1 / absmax · 127) to the nearest even integer, of values that are rounded to
 * f16 first; a row of zeros has absmax 0 and codes 0.
 * @see Dettmers et al. 2022 (LLM.int8()); bitsandbytes `functional.py` int8_vectorwise_quant
 */
export const LLM_INT8: QuantFormat = {
  ...INT8_ROWS,
  bits: 8,
  levels: INT8_LEVELS,
  codes: ({ codes }) => int(codes!),
  encode(values, [out, width]) {
    const codes = new Int8Array(out * width);
    const absmax = new Float32Array(out);
    const row = new Float32Array(width);
    for (let o = 0; o < out; o++) {
      let max = 0;
      for (let i = 0; i < width; i++) {
        row[i] = roundF16(values[o * width + i]!);
        max = Math.max(max, Math.abs(row[i]!));
      }
      if (max === Infinity) throw tooLarge("int8", values[o * width + row.findIndex((v) => Math.abs(v) === Infinity)]!);
      absmax[o] = max;
      // torch divides a number by a tensor so.
      const scale = max === 0 ? 0 : fround(fround(1 / max) * 127);
      for (let i = 0; i < width; i++) codes[o * width + i] = roundHalfToEven(fround(row[i]! * scale));
    }
    return { codes: bytesOf(codes), absmax: bytesOf(absmax) };
  },
};
