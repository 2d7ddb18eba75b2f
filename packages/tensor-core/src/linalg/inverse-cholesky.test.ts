import { describe, expect, it } from "vitest";
import { torchGenerator, torchNormal } from "../random/index.js";
import { inverseCholesky, matrix, type Matrix, product, solveSpd, transposed } from "./index.js";

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

describe.each([1, 2, 31, 32, 33, 97])("inverseCholesky of [%i]", (n) => {
  const m = definite(n);
  const u = inverseCholesky(m)!;

  it("is upper triangular with a positive diagonal", () => {
    for (let i = 0; i < n; i++) {
      expect(u.data[i * n + i]).toBeGreaterThan(0);
      for (let j = 0; j < i; j++) expect(u.data[i * n + j]).toBe(0);
    }
  });

  it("is a factor of the inverse", () => {
    const want = solveSpd(m, identity(n));
    const size = Math.max(...want.data.map(Math.abs));
    product(transposed(u), u).data.forEach((x, i) => expect(Math.abs(x - want.data[i]!) / size).toBeLessThan(1e-13));
  });

  it("reads no more than the upper half, and changes nothing", () => {
    const upper = matrix(
      n,
      n,
      m.data.map((x, i) => (i % n < Math.floor(i / n) ? NaN : x)),
    );
    expect(inverseCholesky(upper)!.data).toEqual(u.data);
    expect(m.data).toEqual(definite(n).data);
  });
});

it.each([
  ["singular", [1, 2, 2, 4]],
  ["indefinite", [1, 3, 3, 1]],
  ["no number", [1, NaN, NaN, 1]],
])("inverseCholesky has nothing for a matrix that is %s", (_, data) => expect(inverseCholesky(matrix(2, 2, data))).toBeUndefined());
