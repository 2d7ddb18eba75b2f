import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { tensor } from "../ops/index.js";
import { cayley, cayleyNeumann, inverse } from "./cayley.js";

type Matrix = number[][];
const eye = (b: number): Matrix => Array.from({ length: b }, (_, i) => Array.from({ length: b }, (__, j) => (i === j ? 1 : 0)));
const product = (a: Matrix, b: Matrix): Matrix => a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
const plus = (a: Matrix, b: Matrix, scale = 1): Matrix => a.map((row, i) => row.map((v, j) => v + scale * b[i]![j]!));

/** X with X·M = C in f64, by elimination with pivoting on columns: another way than the code's. */
function solveLeft(m: Matrix, c: Matrix): Matrix {
  const b = m.length;
  const rows = m[0]!.map((_, j) => [...m.map((row) => row[j]!), ...c.map((row) => row[j]!)]);
  for (let k = 0; k < b; k++) {
    const best = rows.slice(k).reduce((at, row, i) => (Math.abs(row[k]!) > Math.abs(rows[at]![k]!) ? k + i : at), k);
    [rows[k], rows[best]] = [rows[best]!, rows[k]!];
    const pivot = rows[k]![k]!;
    rows[k] = rows[k]!.map((v) => v / pivot);
    for (let i = 0; i < b; i++) if (i !== k) rows[i] = rows[i]!.map((v, j) => v - rows[i]![k]! * rows[k]![j]!);
  }
  return c.map((_, i) => rows.map((row) => row[b + i]!));
}

function skew(b: number, seed: number, size = 1): Matrix {
  const q = eye(b).map((row) => row.map(() => 0));
  for (let i = 0; i < b; i++)
    for (let j = i + 1; j < b; j++) q[j]![i] = -(q[i]![j] = Math.fround(size * Math.sin(i * 3.7 + j * 1.9 + seed)));
  return q;
}
const toTensor = (blocks: readonly Matrix[]): Tensor =>
  tensor(Float32Array.from(blocks.flat(2)), { shape: [blocks.length, blocks[0]!.length, blocks[0]!.length] });

async function expectClose(got: Tensor, wanted: readonly Matrix[], tolerance: number): Promise<void> {
  const values = await got.data();
  wanted.flat(2).forEach((v, i) => expect(Math.abs(values[i]! - v), `element ${i}: ${values[i]} and ${v}`).toBeLessThan(tolerance));
}

describe("cayley", () => {
  it.each([
    [1, 2, 0.5],
    [2, 3, 1],
    [5, 2, 0.3],
    [8, 1, 3],
    [9, 2, 1],
    [32, 2, 0.1],
    [33, 1, 1],
    [64, 1, 10],
  ])("is (I - Q)(I + Q)⁻¹ for blocks of %i", async (b, n, size) => {
    const blocks = Array.from({ length: n }, (_, k) => skew(b, k, size));
    const wanted = blocks.map((q) => solveLeft(plus(eye(b), q), plus(eye(b), q, -1)));
    await expectClose(cayley(toTensor(blocks)), wanted, 2e-6 * Math.max(1, size));
  });
  it("is orthogonal, and the identity for 0", async () => {
    const r = await cayley(toTensor([skew(16, 1, 0.7)])).data();
    const R = eye(16).map((row, i) => row.map((_, j) => r[16 * i + j]!));
    await expectClose(
      toTensor([
        product(
          R,
          eye(16).map((row, i) => row.map((_, j) => R[j]![i]!)),
        ),
      ]),
      [eye(16)],
      2e-6,
    );
    await expectClose(cayley(toTensor([skew(5, 1, 0)])), [eye(5)], 1e-12);
  });
  it("keeps the dtype", () => {
    expect(cayley(tensor([[[0]]], { dtype: "bf16" })).dtype).toBe("bf16");
  });
  it("refuses what is not made of square blocks", () => {
    expect(() => cayley(tensor([[1]]))).toThrow(ShapeError);
  });
});

describe("inverse", () => {
  it.each([1, 7, 8, 20])("inverts blocks of %i with positive definite symmetric part", async (b) => {
    const m = plus(plus(eye(b), skew(b, 2)), product(skew(b, 1, 0.3), skew(b, 1, 0.3)), -1);
    await expectClose(inverse(toTensor([m])), [solveLeft(m, eye(b))], 2e-6);
  });
});

describe("cayleyNeumann", () => {
  const q = skew(6, 1, 0.2);
  const q2 = product(q, q);
  const [q3, q4] = [product(q2, q), product(q2, q2)];
  const sum = (...terms: [number, Matrix][]): Matrix => terms.reduce((s, [c, m]) => plus(s, m, c), eye(6));
  it.each([
    [1, sum()],
    [2, sum([2, q])],
    [3, sum([2, q], [2, q2], [1, q3])],
    [4, sum([2, q], [2, q2], [1, q3])],
    [5, sum([2, q], [2, q2], [2, q3], [1, q4])],
    [6, sum([2, q], [2, q2], [2, q3], [2, q4], [1, product(q4, q)])],
  ] as [number, Matrix][])("has PEFT's coefficients for %i terms", async (terms, wanted) => {
    const series = cayleyNeumann(toTensor([q, q]), terms);
    expect(series.shape).toEqual([2, 6, 6]);
    await expectClose(series, [wanted, wanted], 1e-6);
  });
  it("tends to the transpose of the exact form", async () => {
    const exact = solveLeft(plus(eye(6), q, -1), plus(eye(6), q));
    await expectClose(cayleyNeumann(toTensor([q]), 40), [exact], 1e-5);
  });
  it("refuses a number of terms below one", () => {
    expect(() => cayleyNeumann(toTensor([q]), 0)).toThrow(ConfigError);
  });
});
