import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const tanh: UnaryPrimitive = unary({
  name: "tanh",
  meaning: "hyperbolic tangent",
  f64: Math.tanh,
  gradient: derivative((_, y, o) => o.sub(1, o.square(y))),
});
