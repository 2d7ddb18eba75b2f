import type { UnaryLanes } from "../program/formula.js";
import { unary, type UnaryPrimitive } from "./elementwise.js";

/** The next integer above. */
export const ceil: UnaryPrimitive = unary({
  name: "ceil",
  f64: Math.ceil,
});

export const lanes: UnaryLanes = { float: (l, x) => l.ceil(x), integer: (_, x) => x };
