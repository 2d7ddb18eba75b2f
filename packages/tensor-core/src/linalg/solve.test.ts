import { expect, it } from "vitest";
import { torchGenerator, torchNormal } from "../random/index.js";
import { matrix, product } from "./matrix.js";
import { solve } from "./solve.js";

it.each([
  [1, 1],
  [6, 3],
  [40, 5],
])("solve: A·X is B, A [%i, %i]", (n, m) => {
  const [a, b] = [matrix(n, n, torchNormal(torchGenerator(1), n * n)), matrix(n, m, torchNormal(torchGenerator(2), n * m))];
  product(a, solve(a, b)!).data.forEach((x, i) => expect(x).toBeCloseTo(b.data[i]!, 10));
});

it("solve exchanges rows where a pivot is 0, and changes neither argument", () => {
  const [a, b] = [matrix(2, 2, [0, 2, 4, 0]), matrix(2, 1, [6, 8])];
  expect([...solve(a, b)!.data]).toEqual([2, 3]);
  expect([[...a.data], [...b.data]]).toEqual([
    [0, 2, 4, 0],
    [6, 8],
  ]);
});

it("solve has nothing for a singular matrix", () => expect(solve(matrix(2, 2, [1, 2, 2, 4]), matrix(2, 1, [1, 1]))).toBeUndefined());
