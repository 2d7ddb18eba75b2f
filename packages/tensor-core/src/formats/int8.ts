import { cast } from "../ops/cast.js";
import { add, mul } from "../ops/elementwise.js";
import { reshape } from "../ops/movement.js";
import type { Format } from "./format.js";

/**
 * Eight bits with the largest magnitude of each row: w = codes · absmax / 127. Parts: `codes` i8 [out, in], `absmax` f32 [out]: on disk `weight` and `SCB`.
 * @see Dettmers et al. 2022 (LLM.int8()); bitsandbytes `functional.py` int8_vectorwise_dequant
 */
export const INT8_ROWS: Format = {
  name: "int8",
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
