import { binary, type BinaryPrimitive } from "./elementwise.js";

export const pow: BinaryPrimitive = binary({
  name: "pow",
  meaning: "a to the power of b",
  f64: Math.pow,
  // a^b for b = 0 has derivative 0 even at a = 0; log a is taken only where a > 0.
  gradient: ({ inputs: [a, b], output }, dy, o) => {
    const da = o.where(o.equal(b!, 0), 0, o.mul(b!, o.pow(a!, o.sub(b!, 1))));
    const positive = o.greater(a!, 0);
    const db = o.where(positive, o.mul(output, o.log(o.where(positive, a!, 1))), 0);
    return [o.mul(dy, da), o.mul(dy, db)];
  },
});
