import { isNonzero, type BinaryLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";

/** a / b; integers divide toward zero, and by 0 give 0. */
export const div: BinaryPrimitive = binary({
  name: "div",
  f64: (a, b) => a / b,
  integer: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  bounds: corners((a, b) => Math.trunc(a / b), 1),
  gradient: ({ inputs: [, b], output }, dy, o) => {
    const da = o.div(dy, b!);
    return [da, o.neg(o.mul(da, output))];
  },
});

export const lanes: BinaryLanes = {
  float: (l, a, b) => l.div(a, b),
  integer: (l, a, b) => l.iselect(isNonzero(l, b), l.idiv(a, b), l.i32(0)),
};
