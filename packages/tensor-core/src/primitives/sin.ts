import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { sinCos } from "./sin-cos.js";

export const sin: UnaryPrimitive = unary({
  name: "sin",
  meaning: "sine of x radians",
  f64: Math.sin,
  lanes: { float: (l, x) => sinCos(l, x, 0) },
  gradient: derivative((x, _, o) => o.cos(x)),
});
