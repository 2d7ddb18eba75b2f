import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { sinCos } from "./sin-cos.js";

export const cos: UnaryPrimitive = unary({
  name: "cos",
  meaning: "cosine of x radians",
  f64: Math.cos,
  lanes: { float: (l, x) => sinCos(l, x, 1) },
  gradient: derivative((x, _, o) => o.neg(o.sin(x))),
});
