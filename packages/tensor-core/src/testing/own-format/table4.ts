import { cast } from "../../ops/cast.js";
import { add, bitAnd, equal, mul, shiftRight, where } from "../../ops/elementwise.js";
import { lookup } from "../../ops/linear.js";
import { type Format, position } from "../../formats/format.js";

/** Weights that share a scale: neighbours in the flat weight, across rows. */
const BLOCK = 32;

/**
 * Four bits by a table: w = table[code] · absmax of its block, as NF4 is. Two codes in a byte, the first in the upper half; blocks and bytes go on from row to
 * row, and the last of them may not be full. docs/adding-a-format.md followed once.
 */
export const TABLE4: Format = {
  name: "table4",
  block: 1,
  parts: ([out, width]) => ({
    codes: { shape: [Math.ceil((out * width) / 2)], dtype: "u8", rows: { axis: 0, elements: width, rows: 2 } },
    absmax: { shape: [Math.ceil((out * width) / BLOCK)], dtype: "f32", rows: { axis: 0, elements: width, rows: BLOCK } },
    table: { shape: [16], dtype: "f32" },
  }),
  decode({ codes, absmax, table }, shape) {
    const { row, column } = position(shape);
    const at = add(mul(row, shape[1]), column);
    const pair = cast(lookup(codes!, shiftRight(at, 1)), "i32");
    const code = where(equal(bitAnd(at, 1), 0), shiftRight(pair, 4), bitAnd(pair, 15));
    return mul(lookup(table!, code), lookup(absmax!, shiftRight(at, 5)));
  },
};
