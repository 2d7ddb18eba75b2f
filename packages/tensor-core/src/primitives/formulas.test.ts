import { describe, expect, it } from "vitest";
import { apply } from "../program/instructions.js";
import type { Lanes } from "../program/lanes.js";
import { SCALAR_LANES } from "../program/scalar-lanes.js";
import { erf } from "./erf.js";
import type { BinaryOp, UnaryOp } from "./index.js";

/** Its conditions are booleans; that no formula here hands one out, the values show. */
const SCALAR = SCALAR_LANES as unknown as Lanes<number, number, number>;

const unary = (op: UnaryOp, x: number): number => apply(SCALAR, op, "f32", [Math.fround(x)]);
const binary = (op: BinaryOp, a: number, b: number): number => apply(SCALAR, op, "f32", [Math.fround(a), Math.fround(b)]);
const whole = (op: BinaryOp, a: number, b: number): number => apply(SCALAR, op, "i32", [a, b]);

const bits = new Int32Array(1);
const one = new Float32Array(bits.buffer);

/** Distance of an f32 from an exact value, in units in the last place of that. */
function ulps(got: number, exact: number): number {
  if (!Number.isFinite(Math.fround(exact))) return Object.is(got, Math.fround(exact)) ? 0 : Infinity;
  one[0] = Math.abs(exact);
  const below = one[0]!;
  bits[0]!++;
  return Math.abs(got - exact) / (one[0]! - below);
}

/** `n` f32 numbers from low to high. */
const spread = (low: number, high: number, n = 40_000): number[] =>
  Array.from({ length: n }, (_, i) => Math.fround(low + ((high - low) * i) / (n - 1)));

function worst(values: readonly number[], got: (x: number) => number, exact: (x: number) => number): number {
  return values.reduce((most, x) => Math.max(most, ulps(got(x), exact(x))), 0);
}

describe("formulas on f32, in units in the last place of the exact value", () => {
  const cases: [UnaryOp, (x: number) => number, number[], number][] = [
    ["exp", Math.exp, [...spread(-87, 88.7), ...spread(-1e-3, 1e-3)], 1],
    ["log", Math.log, [...spread(1e-3, 4), ...spread(1e-38, 1e-30), ...spread(1, 1e38), Math.fround(1e-44)], 0.85],
    ["tanh", Math.tanh, [...spread(-10, 10), ...spread(-0.7, 0.7)], 1.3],
    // The reference's own f64 function is tested against torch's values.
    ["erf", erf.f64, [...spread(-5, 5), ...spread(-1.1, 1.1)], 1.3],
    ["sin", Math.sin, [...spread(-10, 10), ...spread(-1e4, 1e4)], 0.8],
    ["cos", Math.cos, [...spread(-10, 10), ...spread(-1e4, 1e4)], 0.8],
    ["rsqrt", (x) => 1 / Math.sqrt(x), [...spread(1e-3, 4), ...spread(1, 1e38)], 1.5],
  ];
  it.each(cases)("%s", (op, exact, values, limit) => {
    expect(worst(values, (x) => unary(op, x), exact)).toBeLessThan(limit);
  });

  it.each([
    ["sin", Math.sin],
    ["cos", Math.cos],
  ] as const)("%s far from zero: 0.8 units, or |x|·2⁻⁶⁰ beside its zeros", (op, exact) => {
    const isClose = (x: number): boolean =>
      Math.abs(unary(op, x) - exact(x)) - Math.abs(x) * 2 ** -60 < 0.8 * 2 ** (Math.floor(Math.log2(Math.abs(exact(x)))) - 23);
    expect([...spread(-(2 ** 20), 2 ** 20, 100_000)].filter((x) => !isClose(x))).toEqual([]);
  });

  it.each(["sin", "cos"] as const)("%s lies between -1 and 1 wherever it is", (op) => {
    const values = Array.from({ length: 5000 }, (_, i) => 2 ** (i / 40) * (i % 2 === 0 ? 1.3 : -1.7));
    expect(values.filter((x) => Number.isFinite(Math.fround(x)) && !(Math.abs(unary(op, x)) <= 1))).toEqual([]);
  });

  it.each([-3.5, -2, -1, -0.5, 0.3, 0.5, 1, 2, 3, 7.25, 20])("pow with exponent %f", (y) => {
    const values = [...spread(1e-3, 70, 20_000), ...spread(1e-30, 1e30, 1000)];
    expect(
      worst(
        values,
        (x) => binary("pow", x, y),
        (x) => Math.pow(x, Math.fround(y)),
      ),
    ).toBeLessThan(0.7);
  });

  it.each([1.001, 0.999, 1.5, 3, 10, 1e-20])("pow of %f, to the ends of the range", (x) => {
    const end = 87 / Math.abs(Math.log(x));
    expect(
      worst(
        spread(-end, end, 20_000),
        (y) => binary("pow", x, y),
        (y) => Math.pow(Math.fround(x), y),
      ),
    ).toBeLessThan(0.7);
  });

  it("mod is exact, with the sign of the divisor", () => {
    for (const b of [3, -3, 0.1, -0.7, 1e-3, 12345.678, 1e10])
      for (const x of [...spread(-50, 50, 999), ...spread(-1e7, 1e7, 999)]) {
        const [a, d] = [Math.fround(x), Math.fround(b)];
        const rest = a % d;
        const wanted = Math.fround(rest !== 0 && rest < 0 !== d < 0 ? rest + d : rest);
        expect(binary("mod", a, d) - wanted, `${a} mod ${d}`).toBe(0);
      }
  });

  it("special values", () => {
    const values = [0, -0, Infinity, -Infinity, NaN, 1, -1];
    expect(values.map((x) => unary("exp", x))).toEqual([1, 1, Infinity, 0, NaN, Math.fround(Math.E), Math.fround(1 / Math.E)]);
    expect(values.map((x) => unary("log", x))).toEqual([-Infinity, -Infinity, Infinity, NaN, NaN, 0, NaN]);
    for (const op of ["tanh", "erf"] as const) expect([Infinity, -Infinity, NaN].map((x) => unary(op, x))).toEqual([1, -1, NaN]);
    for (const op of ["sin", "cos"] as const) expect([Infinity, -Infinity, NaN].map((x) => unary(op, x))).toEqual([NaN, NaN, NaN]);
    expect(values.map((x) => unary("sign", x))).toEqual([0, -0, 1, -1, NaN, 1, -1]);
    for (const y of [0, 1, 2, 3, -1, -2, 0.5, -0.5, 1e9, -1e9, NaN])
      for (const x of [...values, 1e-40, 3e38, -2, -2.5])
        expect(binary("pow", x, y), `pow(${x}, ${y})`).toBe(y === 0 || x === 1 ? 1 : Math.fround(Math.pow(Math.fround(x), y)));
    // As C's pow; JavaScript says NaN for ±1.
    expect([0.5, 2, -1, 1, -0.5, 0].map((x) => binary("pow", x, Infinity))).toEqual([0, Infinity, 1, 1, 0, 0]);
    expect([0.5, 2, -1, 1, -0.5, 0].map((x) => binary("pow", x, -Infinity))).toEqual([Infinity, 0, 1, 1, Infinity, Infinity]);
    // torch.remainder
    expect(binary("mod", 5, Infinity)).toBe(5);
    expect(binary("mod", -5, Infinity)).toBe(Infinity);
    for (const [a, b] of [
      [Infinity, 2],
      [Infinity, Infinity],
      [1, 0],
      [NaN, 1],
      [1, NaN],
    ] as const)
      expect(binary("mod", a, b)).toBeNaN();
  });

  it("integers: division by zero gives 0, powers wrap, remainders take the divisor's sign", () => {
    const least = -(2 ** 31);
    expect([whole("div", 7, 0), whole("mod", 7, 0), whole("div", -7, 2), whole("mod", -7, 2), whole("mod", 7, -2)]).toEqual([
      0, 0, -3, 1, -1,
    ]);
    expect([whole("div", least, -1), whole("mod", least, -1)]).toEqual([least, 0]);
    expect([whole("pow", 3, 5), whole("pow", 3, 21), whole("pow", -1, -3), whole("pow", 2, -1), whole("pow", 0, 0)]).toEqual([
      243,
      Number(BigInt.asIntN(32, 3n ** 21n)),
      -1,
      0,
      1,
    ]);
  });
});
