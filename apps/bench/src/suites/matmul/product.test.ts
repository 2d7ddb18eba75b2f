import { expect, test } from "vitest";
import { loraError, makeLoraCase } from "../lora/case.js";
import { makeProduct, numbers, productError } from "./product.js";

test("numbers are the same on every run and lie in [-1, 1)", () => {
  expect([...numbers(3, 11)]).toEqual([...numbers(3, 11)]);
  for (const x of numbers(1000, 5)) expect(Math.abs(x)).toBeLessThanOrEqual(1);
});

test("a right product has no error to speak of, a wrong one has", () => {
  const p = makeProduct(5, 7, 3);
  const c = Float32Array.from({ length: 15 }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < 7; k++) sum += p.a[Math.floor(at / 3) * 7 + k]! * p.b[k * 3 + (at % 3)]!;
    return sum;
  });
  expect(productError(p, c)).toBeLessThan(1e-6);
  expect(
    productError(
      p,
      c.map((x) => x * 1.01),
    ),
  ).toBeGreaterThan(1e-3);
  expect(
    productError(
      p,
      c.map(() => Number.NaN),
    ),
  ).toBe(Infinity);
  expect(productError(p, c.subarray(1))).toBe(Infinity);
});

test("a LoRA result without its low-rank part is wrong", () => {
  const { m, inputs, out, x, w, ...rest } = makeLoraCase(3, 8, 40, 2);
  const base = Float32Array.from({ length: m * out }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += x[Math.floor(at / out) * inputs + k]! * w[(at % out) * inputs + k]!;
    return sum;
  });
  expect(loraError({ m, inputs, out, x, w, ...rest }, base)).toBeGreaterThan(0.01);
  expect(loraError({ m, inputs, out, x, w, ...rest, scale: 0 }, base)).toBeLessThan(1e-6);
});
