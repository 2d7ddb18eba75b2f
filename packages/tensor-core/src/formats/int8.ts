import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { abs, add, div, equal, mul, round, where } from "../ops/elementwise.js";
import { reshape } from "../ops/movement.js";
import { max } from "../ops/reduce.js";
import type { Format, MatrixShape, PackedWeight } from "./format.js";

/**
 * Eight bits with the largest magnitude of each row: w = codes · absmax / 127. Parts: `codes` i8 [out, in], `absmax` f32 [out]: on disk `weight` and `SCB`.
 * @see Dettmers et al. 2022 (LLM.int8()); bitsandbytes `functional.py` int8_vectorwise_dequant
 */
export const INT8_ROWS: Format = {
  name: "int8-rows",
  block: 1,
  parts: ([out, width]) => ({
    codes: { shape: [out, width], dtype: "i8", rows: { axis: 0, elements: 1, rows: 1 } },
    absmax: { shape: [out], dtype: "f32", rows: { axis: 0, elements: 1, rows: 1 } },
  }),
  decode: ({ codes, absmax }) => mul(mul(cast(codes!, "f32"), reshape(absmax!, [-1, 1])), 1 / 127),
  affine: {
    bits: 8,
    group: -1,
    codes: ({ codes }) => add(cast(codes!, "i32"), 128),
    scales: ({ absmax }) => mul(reshape(absmax!, [-1, 1]), 1 / 127),
    zeros: 128,
  },
};

/**
 * A matrix in `INT8_ROWS`: absmax = max |w| of the row, codes = w · (127 / absmax) to the nearest even integer, of w rounded to f16 first, as bitsandbytes does. A
 * row of zeros has absmax 0 and codes 0.
 * @see bitsandbytes `functional.py` int8_vectorwise_quant
 */
export function quantizeInt8(weight: Tensor): PackedWeight {
  const w = cast(cast(weight, "f16"), "f32");
  const absmax = max(abs(w), { axes: [1] });
  const scale = where(equal(absmax, 0), 0, div(127, absmax));
  const codes = cast(round(mul(w, reshape(scale, [-1, 1]))), "i8");
  return { format: INT8_ROWS, shape: weight.shape as unknown as MatrixShape, parts: { codes, absmax } };
}
