import { binary, type BinaryPrimitive } from "./elementwise.js";

export const mod: BinaryPrimitive = binary({
  name: "mod",
  meaning: "remainder with the sign of the divisor (Python's %); of integers by 0 it is 0",
  f64: (a, b) => a - Math.floor(a / b) * b,
  integer: (a, b) => (b === 0 ? 0 : a - Math.floor(a / b) * b),
  gradient: ({ inputs: [a, b] }, dy, o) => [dy, o.neg(o.mul(dy, o.floor(o.div(a!, b!))))],
});
