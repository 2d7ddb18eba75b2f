import { unary, type UnaryPrimitive } from "./elementwise.js";

export const ceil: UnaryPrimitive = unary({
  name: "ceil",
  meaning: "the next integer above",
  f64: Math.ceil,
});
