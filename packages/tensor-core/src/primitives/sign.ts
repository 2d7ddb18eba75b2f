import { unary, type UnaryPrimitive } from "./elementwise.js";

export const sign: UnaryPrimitive = unary({
  name: "sign",
  meaning: "-1, 0 or 1",
  f64: Math.sign,
});
