import { unary, type UnaryPrimitive } from "./elementwise.js";

export const ceil: UnaryPrimitive = unary({
  name: "ceil",
  meaning: "the next integer above",
  f64: Math.ceil,
  lanes: { float: (l, x) => l.ceil(x), integer: (_, x) => x },
});
