import { binary, type BinaryPrimitive } from "./elementwise.js";

export const sub: BinaryPrimitive = binary({
  name: "sub",
  meaning: "a - b",
  f64: (a, b) => a - b,
  lanes: { float: (l, a, b) => l.sub(a, b), integer: (l, a, b) => l.isub(a, b) },
  gradient: (_, dy, o) => [dy, o.neg(dy)],
});
