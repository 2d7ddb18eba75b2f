import { describe, expect, it } from "vitest";
import { JS_LANES, type Vector, vector } from "./js-lanes.js";
import { erf, exp, log, pow, sinCos, tanh } from "./math.js";

const L = JS_LANES;
const lanes = (values: readonly number[]): Vector => {
  const v = vector(values.length);
  v.f.set(values);
  return v;
};

/** Largest error in units in the last place of the f32 result. */
function worst(got: Float32Array, want: (x: number) => number, at: Float32Array): number {
  const bits = new Int32Array(1);
  const one = new Float32Array(bits.buffer);
  let most = 0;
  got.forEach((g, i) => {
    const exact = want(at[i]!);
    if (!Number.isFinite(Math.fround(exact))) return expect(Object.is(g, Math.fround(exact)), `at ${at[i]}: ${g} for ${exact}`).toBe(true);
    one[0] = Math.abs(exact);
    const below = one[0]!;
    bits[0]!++;
    most = Math.max(most, Math.abs(g - exact) / (one[0]! - below));
  });
  return most;
}

/** `n` numbers from low to high. */
const spread = (low: number, high: number, n = 60_000): number[] => Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

/** Abramowitz & Stegun 7.1.6, f64. */
function erf64(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let [term, total] = [a, a];
  for (let n = 1; term > 1e-18 * total; n++) total += term *= (2 * a * a) / (2 * n + 1);
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * total;
}

describe("functions on lanes, in units in the last place", () => {
  const cases: [string, (x: Vector) => Vector, (x: number) => number, number[], number][] = [
    ["exp", (x) => exp(L, x), Math.exp, [...spread(-87, 88.7), ...spread(-1e-3, 1e-3)], 1],
    ["log", (x) => log(L, x), Math.log, [...spread(1e-3, 4), ...spread(1e-38, 1e-30), ...spread(1, 1e38), 1e-44], 0.85],
    ["tanh", (x) => tanh(L, x), Math.tanh, [...spread(-10, 10), ...spread(-0.7, 0.7)], 1.3],
    ["erf", (x) => erf(L, x), erf64, [...spread(-5, 5), ...spread(-1.1, 1.1)], 1.25],
    ["sin", (x) => sinCos(L, x, "sin"), Math.sin, [...spread(-10, 10), ...spread(-1e6, 1e6)], 0.51],
    ["cos", (x) => sinCos(L, x, "cos"), Math.cos, [...spread(-10, 10), ...spread(-1e6, 1e6)], 0.51],
  ];
  it.each(cases)("%s", (_, f, want, values, limit) => {
    const x = lanes(values);
    expect(worst(f(x).f, want, x.f)).toBeLessThan(limit);
  });

  it.each([-3.5, -2, -1, -0.5, 0.3, 0.5, 1, 2, 3, 7.25, 20])("pow with exponent %f", (y) => {
    const x = lanes([...spread(1e-3, 100, 20_000), ...spread(1e-30, 1e30, 1000)]);
    expect(worst(pow(L, x, lanes([y])).f, (v) => Math.pow(v, Math.fround(y)), x.f)).toBeLessThan(0.51);
  });

  it("special values", () => {
    const values = [0, -0, Infinity, -Infinity, NaN, 1, -1];
    const x = lanes(values);
    expect([...exp(L, x).f]).toEqual([1, 1, Infinity, 0, NaN, Math.fround(Math.E), Math.fround(1 / Math.E)]);
    expect([...log(L, x).f]).toEqual([-Infinity, -Infinity, Infinity, NaN, NaN, 0, NaN]);
    expect([...tanh(L, lanes([Infinity, -Infinity, NaN])).f]).toEqual([1, -1, NaN]);
    expect([...erf(L, lanes([Infinity, -Infinity, NaN])).f]).toEqual([1, -1, NaN]);
    for (const y of [0, 1, 2, 3, -1, -2, 0.5, -0.5, NaN]) {
      for (const v of values)
        expect(pow(L, lanes([v]), lanes([y])).f[0], `pow(${v}, ${y})`).toBe(y === 0 || v === 1 ? 1 : Math.fround(Math.pow(v, y)));
    }
    expect([
      pow(L, lanes([0.5]), lanes([Infinity])).f[0],
      pow(L, lanes([2]), lanes([-Infinity])).f[0],
      pow(L, lanes([-1]), lanes([Infinity])).f[0],
    ]).toEqual([0, 0, 1]);
  });
});
