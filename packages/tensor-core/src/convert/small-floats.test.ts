import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromBf16, fromF16, fromF8e4m3, fromF8e5m2, toBf16, toF16, toF8e4m3, toF8e5m2 } from "./small-floats.js";

interface Hashes {
  readonly decode: string;
  readonly encode: string;
  readonly numbers: number;
}
const torch = JSON.parse(readFileSync(new URL("./fixtures/conversions.json", import.meta.url), "utf8")) as Record<string, Hashes>;

const FORMATS = {
  f16: { from: fromF16, to: toF16, exponent: 5, mantissa: 10, infinities: true, nan: 0x7e00 },
  bf16: { from: fromBf16, to: toBf16, exponent: 8, mantissa: 7, infinities: true, nan: 0x7fc0 },
  f8e4m3: { from: fromF8e4m3, to: toF8e4m3, exponent: 4, mantissa: 3, infinities: false, nan: 0x7f },
  f8e5m2: { from: fromF8e5m2, to: toF8e5m2, exponent: 5, mantissa: 2, infinities: true, nan: 0x7f },
} as const;
type Format = (typeof FORMATS)[keyof typeof FORMATS];

const sha = (array: Int32Array | Uint16Array | Uint8Array): string =>
  createHash("sha256").update(new Uint8Array(array.buffer)).digest("hex");
const f32 = new Float32Array(1);
const bits = new Int32Array(f32.buffer);
const bitsOf = (x: number): number => ((f32[0] = x), bits[0]!);
const ofBits = (n: number): number => ((bits[0] = n), f32[0]!);

/** The value of a bit pattern by the definition of the format. */
function defined(pattern: number, { exponent, mantissa, infinities }: Format): number {
  const sign = pattern >> (exponent + mantissa) ? -1 : 1;
  const e = (pattern >> mantissa) & (2 ** exponent - 1);
  const m = pattern & (2 ** mantissa - 1);
  if (e === 2 ** exponent - 1 && (infinities || m === 2 ** mantissa - 1)) return infinities && m === 0 ? sign * Infinity : NaN;
  const bias = 2 ** (exponent - 1) - 1;
  return sign * (e === 0 ? m * 2 ** (1 - bias - mantissa) : (1 + m / 2 ** mantissa) * 2 ** (e - bias));
}

const sizeOf = ({ exponent, mantissa }: Format): number => 2 ** (1 + exponent + mantissa);
const positives = (f: Format): number[] => Array.from({ length: sizeOf(f) / 2 }, (_, i) => defined(i, f)).filter(Number.isFinite);
const around = (x: number): number[] => [-1, 0, 1].map((by) => ofBits(bitsOf(x) + by));

/** The numbers that `make_conversions.py` converts. */
function numbers(f: Format): number[] {
  const up = positives(f);
  const finite = [
    ...up
      .slice(1)
      .map((v) => -v)
      .reverse(),
    ...up,
  ];
  const middles = finite.slice(1).flatMap((v, i) => around((v + finite[i]!) / 2));
  const top = around(up.at(-1)! + (up.at(-1)! - up.at(-2)!) / 2);
  const special = [0, -0, Infinity, -Infinity, NaN, 3.4028234663852886e38, -3.4028234663852886e38, 2 ** -149, -(2 ** -149)];
  return [...finite, ...middles, ...top, ...top.map((v) => -v), ...special];
}

/** The nearest of all patterns, ties to the even one; beyond the last by half a step: infinity, or the last where there is none. */
function nearest(x: number, f: Format, values: readonly number[]): number {
  const sign = x < 0 || Object.is(x, -0) ? sizeOf(f) / 2 : 0;
  const magnitude = Math.abs(x);
  const last = values.length - 1;
  const limit = values[last]! + (values[last]! - values[last - 1]!) / 2;
  if (magnitude > limit || (magnitude === limit && last % 2 === 1)) return sign | (f.infinities ? last + 1 : last);
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= magnitude) low = middle;
    else high = middle;
  }
  const [below, above] = [magnitude - values[low]!, values[high]! - magnitude];
  return sign | (below < above || (below === above && low % 2 === 0) ? low : high);
}

describe.each(Object.entries(FORMATS))("%s", (name, format) => {
  const count = sizeOf(format);
  const patterns = Array.from({ length: count }, (_, i) => i);
  const canonical = (pattern: number): number => (Number.isNaN(defined(pattern, format)) ? format.nan : pattern);

  it("gives every bit pattern the value that the format defines, and torch's", () => {
    expect(patterns.filter((i) => !Object.is(format.from(i), defined(i, format)))).toEqual([]);
    const decoded = Int32Array.from({ length: count }, (_, i) => (Number.isNaN(format.from(i)) ? 0x7fc00000 : bitsOf(format.from(i))));
    expect(sha(decoded)).toBe(torch[name]!.decode);
  });

  it("gives every pattern back", () => {
    expect(patterns.filter((i) => canonical(format.to(format.from(i))) !== canonical(i))).toEqual([]);
  });

  it("rounds to the nearest, ties to even, subnormals and overflow included: on and beside every boundary, as torch", () => {
    const inputs = numbers(format);
    const values = positives(format);
    const got = inputs.map((x) => canonical(format.to(x)));
    inputs.forEach((x, i) => {
      const want = Number.isNaN(x) ? format.nan : nearest(x, format, values);
      if (got[i] !== want) throw new Error(`${x} became 0x${got[i]!.toString(16)}, expected 0x${want.toString(16)}`);
    });
    expect(inputs).toHaveLength(torch[name]!.numbers);
    expect(sha(count === 65536 ? Uint16Array.from(got) : Uint8Array.from(got))).toBe(torch[name]!.encode);
  });
});

it("makes one NaN of all", () => {
  expect([toBf16(NaN), toF16(NaN), toF8e4m3(NaN), toF8e5m2(NaN)]).toEqual([0x7fc0, 0x7e00, 0x7f, 0x7f]);
});

it("rounds f64 by way of f32, as a tensor's storage does", () => {
  const x = 1 + 2 ** -11 + 2 ** -40; // f32 drops the last bit; then it is a tie
  expect(toF16(x)).toBe(toF16(1));
});
