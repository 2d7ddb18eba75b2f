import type { IntegerLanes } from "../program/formula.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

/** a and b, bit by bit. */
export const bitAnd: BinaryPrimitive = bitwise({
  name: "bitAnd",
  f64: (a, b) => a & b,
  // Bits that one of them has not are not in the result.
  bounds: (inputs) => {
    const masks = inputs.filter(({ least }) => least >= 0).map(({ most }) => most);
    return masks.length > 0 ? { least: 0, most: Math.min(...masks) } : undefined;
  },
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.iand(a, b) };
