import { describe, expect, it } from "vitest";
import { torchGenerator, torchNormal } from "../random/index.js";
import { inverseCholesky, matrix, type Matrix, product, solveSpd, transposed, upperRow, upperSize } from "./index.js";

/** X·Xᵀ of random numbers, definite by far more rows than columns. */
function definite(n: number): Matrix {
  const x = matrix(n, 3 * n, torchNormal(torchGenerator(n), 3 * n * n));
  return product(x, transposed(x));
}
const identity = (n: number): Matrix =>
  matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  );

/** The upper half of a matrix, row after row. */
const upperOf = ({ rows: n, data }: Matrix): Float64Array => data.filter((_, i) => i % n >= Math.floor(i / n));

describe.each([1, 2, 31, 32, 33, 97])("inverseCholesky of [%i]", (n) => {
  const m = definite(n);
  const upper = upperOf(m);
  const found = inverseCholesky(upper, n);
  const u = matrix(n, n);
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) u.data[i * n + j] = upper[upperRow(n, i) + j]!;

  it("has a positive diagonal", () => {
    expect([found, upper.length]).toEqual([true, upperSize(n)]);
    for (let i = 0; i < n; i++) expect(u.data[i * n + i]).toBeGreaterThan(0);
  });

  it("is a factor of the inverse", () => {
    const want = solveSpd(m, identity(n));
    const size = Math.max(...want.data.map(Math.abs));
    product(transposed(u), u).data.forEach((x, i) => expect(Math.abs(x - want.data[i]!) / size).toBeLessThan(1e-13));
  });
});

it.each([
  ["singular", [1, 2, 4]],
  ["indefinite", [1, 3, 1]],
  ["no number", [1, NaN, 1]],
])("inverseCholesky refuses a matrix that is %s", (_, data) => expect(inverseCholesky(Float64Array.from(data), 2)).toBe(false));
