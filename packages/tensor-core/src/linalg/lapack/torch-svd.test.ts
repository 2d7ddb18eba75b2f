import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jacobiSvd } from "../jacobi-svd.js";
import { matrix, type Matrix, product, transposed } from "../matrix.js";
import { torchSvd } from "./torch-svd.js";

type Encoded = Readonly<Record<"a" | "u" | "s" | "vt", string>> & Readonly<Record<"rows" | "cols" | "rank", number>>;
const cases = JSON.parse(readFileSync(new URL("../../../../../fixtures/linalg/svd.json", import.meta.url), "utf8")) as Encoded[];

const decode = (text: string): Float64Array => {
  const bytes = Buffer.from(text, "base64");
  return Float64Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
};
const furthest = (a: Float64Array, b: Float64Array): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
};
const identity = (n: number): Matrix =>
  matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  );

describe("torchSvd against torch.linalg.svd", () => {
  it.each(cases)("$rows × $cols, rank $rank: values, vectors and their signs", ({ rows, cols, rank, a, u, s, vt }) => {
    const found = torchSvd(matrix(rows, cols, decode(a)), rank);
    const values = decode(s);
    expect(furthest(found.s, values)).toBeLessThanOrEqual(2e-6 * values[0]!);
    // Vectors of close values turn by the rounding of f32 over their gap.
    expect(furthest(found.vt.data, decode(vt))).toBeLessThan(5e-4);
    expect(furthest(found.u.data, decode(u))).toBeLessThan(5e-4);
  });
});

describe("torchSvd in f64", () => {
  const shapes = [
    [7, 5],
    [5, 7],
    [70, 40],
    [2, 50],
    [120, 120],
    [60, 130],
  ] as const;
  it.each(shapes)("%d × %d: orthonormal, gives the matrix back, values as by Jacobi", (rows, cols) => {
    let seed = rows;
    const a = matrix(
      rows,
      cols,
      Float64Array.from({ length: rows * cols }, () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5),
    );
    const k = Math.min(rows, cols);
    const { u, s, vt } = torchSvd(a, k);
    expect(furthest(product(transposed(u), u).data, identity(k).data)).toBeLessThan(1e-13);
    expect(furthest(product(vt, transposed(vt)).data, identity(k).data)).toBeLessThan(1e-13);
    // Entries below the thresholds of f32 are dropped.
    expect(furthest(s, jacobiSvd(a).s)).toBeLessThan(1e-6 * s[0]!);
    const scaled = matrix(
      rows,
      k,
      u.data.map((x, i) => x * s[i % k]!),
    );
    expect(furthest(product(scaled, vt).data, a.data)).toBeLessThan(1e-6 * s[0]!);
  });

  it("keeps the signs at every scale", () => {
    const { rows, cols, rank, a, vt } = cases.find((c) => c.rows === 48 && c.cols === 48)!;
    for (const scale of [2 ** -40, 2 ** 40]) {
      const found = torchSvd(
        matrix(
          rows,
          cols,
          decode(a).map((x) => x * scale),
        ),
        rank,
      );
      expect(furthest(found.vt.data, decode(vt))).toBeLessThan(5e-4);
    }
  });
});
