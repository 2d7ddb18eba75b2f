import { unary, type UnaryPrimitive } from "./elementwise.js";

export const neg: UnaryPrimitive = unary({
  name: "neg",
  meaning: "-x",
  f64: (x) => -x,
  lanes: { float: (l, x) => l.neg(x), integer: (l, x) => l.ineg(x) },
  gradient: (_, dy, o) => [o.neg(dy)],
});
