import type { Lanes } from "./lanes.js";

/*
 * f32 functions as formulas over lanes. Coefficients are our own weighted least-squares (Remez-like) fits in f64.
 * Largest errors over the tested ranges (`math.test.ts`), in units in the last place: exp 0.99, log 0.80, tanh 1.26, erf 1.19, and,
 * by way of f64, pow, sin and cos 0.51 (sin and cos for |x| ≤ 2^20; beyond, the reduction of the argument loses digits).
 */

const LN2 = Math.LN2;
/** ln 2 in two parts; multiples of the first by exponents are exact in f32. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = LN2 - LN2_HIGH;

/** Σ cᵢ·xⁱ by Horner's rule. */
function polynomial<V, D>(l: Lanes<V, D>, x: V, coefficients: readonly number[]): V {
  return coefficients.reduceRight<V | undefined>(
    (sum, c) => (sum === undefined ? l.f32(c) : l.binary("add", l.binary("mul", sum, x), l.f32(c))),
    undefined,
  )!;
}

function polynomial64<V, D>(l: Lanes<V, D>, x: D, coefficients: readonly number[]): D {
  return coefficients.reduceRight<D | undefined>(
    (sum, c) => (sum === undefined ? l.f64(c) : l.binary64("add", l.binary64("mul", sum, x), l.f64(c))),
    undefined,
  )!;
}

/** x·2ⁿ in two steps, so that results down to the smallest subnormal and up to overflow come out right. */
function timesPowerOfTwo<V, D>(l: Lanes<V, D>, x: V, n: V): V {
  const half = l.shift("shrS", n, 1);
  const power = (k: V): V => l.shift("shl", l.binary("iadd", k, l.i32(127)), 23);
  return l.binary("mul", l.binary("mul", x, power(half)), power(l.binary("isub", n, half)));
}

const withSign = <V, D>(l: Lanes<V, D>, magnitude: V, signOf: V): V =>
  l.binary("or", magnitude, l.binary("and", signOf, l.i32(-0x80000000)));

/** e^x = 2ⁿ·e^r with |r| ≤ ln 2 / 2. */
export function exp<V, D>(l: Lanes<V, D>, x: V): V {
  const inside = l.binary("max", l.binary("min", x, l.f32(89)), l.f32(-105));
  const n = l.unary("nearest", l.binary("mul", inside, l.f32(Math.LOG2E)));
  const r = l.binary("sub", l.binary("sub", inside, l.binary("mul", n, l.f32(LN2_HIGH))), l.binary("mul", n, l.f32(LN2_LOW)));
  const tail = l.binary(
    "mul",
    l.binary("mul", r, r),
    polynomial(l, r, [0.5, 0.166665181517601, 0.04166620224714279, 0.008368969894945621, 0.0013950628926977515]),
  );
  return timesPowerOfTwo(l, l.binary("add", l.binary("add", tail, r), l.f32(1)), l.unary("truncate", n));
}

/** x = m·2^e with m in [√½, √2); `tiny` lanes (below the normal range) were scaled by 2^23 first. */
function split<V, D>(l: Lanes<V, D>, x: V): { m: V; e: V } {
  const tiny = l.binary("lt", x, l.f32(2 ** -126));
  const bits = l.select(tiny, l.binary("mul", x, l.f32(2 ** 23)), x);
  // Subtracting the bits of √½ puts the exponent boundary there.
  const offset = l.binary("isub", bits, l.i32(0x3f3504f3));
  const e = l.binary("isub", l.shift("shrS", offset, 23), l.binary("and", tiny, l.i32(23)));
  const m = l.binary("iadd", l.binary("and", offset, l.i32(0x7fffff)), l.i32(0x3f3504f3));
  return { m, e };
}

/** ln x = e·ln 2 + ln(1 + f); -Infinity at 0, NaN below. */
export function log<V, D>(l: Lanes<V, D>, x: V): V {
  const { m, e } = split(l, x);
  const f = l.binary("sub", m, l.f32(1));
  const k = l.unary("convert", e);
  const square = l.binary("mul", f, f);
  const P = [
    0.33333316445350647, -0.2500079870223999, 0.20002290606498718, -0.1662491410970688, 0.14181189239025116, -0.13125652074813843,
    0.12881025671958923, -0.07866719365119934,
  ];
  let tail = l.binary("mul", l.binary("mul", polynomial(l, f, P), f), square);
  tail = l.binary("add", tail, l.binary("mul", k, l.f32(LN2_LOW)));
  tail = l.binary("sub", tail, l.binary("mul", square, l.f32(0.5)));
  const result = l.binary("add", l.binary("add", tail, f), l.binary("mul", k, l.f32(LN2_HIGH)));
  const positive = l.select(l.binary("lt", x, l.f32(Infinity)), result, x);
  const special = l.select(l.binary("eq", x, l.f32(0)), l.f32(-Infinity), l.f32(NaN));
  return l.select(l.binary("gt", x, l.f32(0)), positive, special);
}

/** A polynomial near 0, else 1 - 2 / (e^{2|x|} + 1). */
export function tanh<V, D>(l: Lanes<V, D>, x: V): V {
  const a = l.unary("abs", x);
  const square = l.binary("mul", x, x);
  const cube = l.binary(
    "mul",
    polynomial(
      l,
      square,
      [-0.3333333134651184, 0.13333210349082947, -0.05394720286130905, 0.021702967584133148, -0.008182674646377563, 0.002147537423297763],
    ),
    l.binary("mul", square, x),
  );
  const near = l.binary("add", x, cube);
  const e = exp(l, l.binary("add", a, a));
  const far = l.binary("sub", l.f32(1), l.binary("div", l.f32(2), l.binary("add", e, l.f32(1))));
  return l.select(l.binary("lt", a, l.f32(0.625)), near, withSign(l, far, x));
}

/** A polynomial near 0, else 1 - e^{P(|x|)} with P fitted to ln erfc. */
export function erf<V, D>(l: Lanes<V, D>, x: V): V {
  const square = l.binary("mul", x, x);
  // x + x·Q rather than x·P: Q is small, so its rounding errors weigh little.
  const Q = [
    0.12837916709551256, -0.3761262595653534, 0.11283600330352783, -0.026854444295167923, 0.005189535208046436, -0.0008020841632969677,
    7.889120752224699e-5,
  ];
  const near = l.binary("add", x, l.binary("mul", x, polynomial(l, square, Q)));
  const a = l.binary("min", l.unary("abs", x), l.f32(4));
  const P = [
    0.0001880376075860113, -1.1295784711837769, -0.6332198977470398, -0.1084185540676117, 0.0252082459628582, -0.0042045582085847855,
    0.0004413356655277312, -2.1686793843400665e-5,
  ];
  const far = l.binary("sub", l.f32(1), exp(l, polynomial(l, a, P)));
  return l.select(l.binary("lt", a, l.f32(1)), near, withSign(l, far, x));
}

/** sin x or cos x: x - k·π/2 and both Taylor series in f64. */
export function sinCos<V, D>(l: Lanes<V, D>, x: V, which: "sin" | "cos"): V {
  const wide = l.widen(x, "f32");
  const k = l.unary64("nearest", l.binary64("mul", wide, l.f64(2 / Math.PI)));
  // π/2 in two parts; k times the first (33 bits) is exact for |k| < 2^20.
  const r = l.binary64(
    "sub",
    l.binary64("sub", wide, l.binary64("mul", k, l.f64(1.5707963267341256))),
    l.binary64("mul", k, l.f64(6.077100506506192e-11)),
  );
  const square = l.binary64("mul", r, r);
  const sine = l.binary64("mul", r, polynomial64(l, square, [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800]));
  const cosine = polynomial64(l, square, [1, -0.5, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600]);
  const n = l.narrow(k, "i32");
  const quadrant = which === "sin" ? n : l.binary("iadd", n, l.i32(1));
  const odd = l.shift("shrS", l.shift("shl", quadrant, 31), 31);
  const magnitude = l.select(odd, l.narrow(cosine, "f32"), l.narrow(sine, "f32"));
  return l.binary("xor", magnitude, l.shift("shl", l.shift("shrU", quadrant, 1), 31));
}

/** |x|^y = 2^{y·log₂|x|} in f64; signs and special values as C's pow. */
export function pow<V, D>(l: Lanes<V, D>, x: V, y: V): V {
  const a = l.unary("abs", x);
  const { m, e } = split(l, a);
  const wide = l.widen(m, "f32");
  const s = l.binary64("div", l.binary64("sub", wide, l.f64(1)), l.binary64("add", wide, l.f64(1)));
  const series = polynomial64(
    l,
    l.binary64("mul", s, s),
    Array.from({ length: 9 }, (_, i) => 2 / (LN2 * (2 * i + 1))),
  );
  const log2 = l.binary64("add", l.widen(e, "i32"), l.binary64("mul", s, series));
  const exponent = l.narrow(l.binary64("mul", log2, l.widen(y, "f32")), "f32");
  const product = l.binary64("mul", log2, l.widen(y, "f32"));
  const n = l.unary64("nearest", product);
  const r = l.binary64("mul", l.binary64("sub", product, n), l.f64(LN2));
  const power = l.narrow(polynomial64(l, r, [1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320]), "f32");
  const [infinity, one, zero] = [l.f32(Infinity), l.f32(1), l.f32(0)];
  let result = timesPowerOfTwo(l, power, l.binary("imax", l.binary("imin", l.narrow(n, "i32"), l.i32(252)), l.i32(-252)));
  result = l.select(l.binary("gt", exponent, l.f32(129)), infinity, result);
  result = l.select(l.binary("lt", exponent, l.f32(-151)), zero, result);
  // a is 0 or Infinity: 0 or Infinity by the sign of y.
  const grows = l.binary("xor", l.binary("eq", a, zero), l.binary("gt", y, zero));
  result = l.select(l.binary("or", l.binary("eq", a, zero), l.binary("eq", a, infinity)), l.select(grows, infinity, zero), result);
  // Negative x: NaN unless y is an integer, and the sign if it is odd.
  const whole = l.binary("eq", l.unary("floor", y), y);
  const half = l.binary("mul", y, l.f32(0.5));
  const odd = l.binary("and", whole, l.binary("ne", l.unary("floor", half), half));
  result = l.binary("xor", result, l.binary("and", l.binary("and", odd, x), l.i32(-0x80000000)));
  const bad = l.binary(
    "and",
    l.binary("and", l.binary("lt", x, zero), l.binary("lt", a, infinity)),
    l.binary("ne", l.unary("floor", y), y),
  );
  result = l.select(bad, l.f32(NaN), result);
  result = l.select(l.binary("or", l.binary("ne", x, x), l.binary("ne", y, y)), l.f32(NaN), result);
  result = l.select(l.binary("eq", l.unary("abs", y), infinity), powerOfInfinity(l, a, y), result);
  const isOne = l.binary("or", l.binary("eq", y, zero), l.binary("eq", x, one));
  return l.select(isOne, one, result);
}

/** |x|^±Infinity: 1 at |x| = 1 (as C; JavaScript says NaN), else 0 or Infinity; NaN stays. */
function powerOfInfinity<V, D>(l: Lanes<V, D>, a: V, y: V): V {
  const large = l.select(l.binary("xor", l.binary("gt", a, l.f32(1)), l.binary("lt", y, l.f32(0))), l.f32(Infinity), l.f32(0));
  const atOne = l.select(l.binary("eq", a, l.f32(1)), l.f32(1), large);
  return l.select(l.binary("ne", a, a), a, atOne);
}
