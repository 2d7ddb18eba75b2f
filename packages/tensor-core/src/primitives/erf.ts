import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

/** By its series (|x| < 3) and continued fraction; relative error below 1e-14. */
function errorFunction(x: number): number {
  const a = Math.abs(x);
  if (!(a < 6)) return a >= 6 ? Math.sign(x) : NaN;
  if (a < 3) {
    let term = a;
    let total = a;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * total; n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

export const erf: UnaryPrimitive = unary({
  name: "erf",
  meaning: "Gauss error function",
  f64: errorFunction,
  gradient: derivative((x, _, o) => o.mul(o.exp(o.neg(o.square(x))), 2 / Math.sqrt(Math.PI))),
});
