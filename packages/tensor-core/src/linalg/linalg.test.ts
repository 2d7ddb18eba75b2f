import { describe, expect, it } from "vitest";
import { tensor } from "../ops/create.js";
import { torchGenerator, torchNormal } from "../random/index.js";
import {
  columns,
  jacobiSvd,
  luBasis,
  lowRankSvd,
  matrix,
  type Matrix,
  product,
  qr,
  randomizedSvd,
  singularValues,
  transposed,
  truncatedSvd,
} from "./index.js";

const normal = (rows: number, cols: number, seed = 1): Matrix => matrix(rows, cols, torchNormal(torchGenerator(seed), rows * cols));

/** A matrix with these singular values. */
function withSpectrum(rows: number, cols: number, spectrum: readonly number[]): Matrix {
  const [u, v] = [qr(normal(rows, spectrum.length, 2)).q, qr(normal(cols, spectrum.length, 3)).q];
  return product(
    matrix(
      rows,
      spectrum.length,
      u.data.map((x, i) => x * spectrum[i % spectrum.length]!),
    ),
    transposed(v),
  );
}

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let worst = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < b.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
};

const identity = (n: number): Matrix =>
  matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  );

describe.each([
  [7, 4],
  [4, 7],
  [5, 5],
])("qr of a matrix [%i, %i]", (m, n) => {
  const a = normal(m, n);
  const { q, r } = qr(a);
  it("gives the matrix back", () => expect(gap(product(q, r).data, a.data)).toBeLessThan(1e-14));
  it("has orthonormal columns", () => expect(gap(product(transposed(q), q).data, identity(Math.min(m, n)).data)).toBeLessThan(1e-14));
  it("leaves zeros under the diagonal", () => expect(r.data.every((x, i) => Math.floor(i / n) <= i % n || x === 0)).toBe(true));
});

it("qr of a matrix with a column of zeros has finite factors", () => {
  const a = matrix(3, 2, [1, 0, 2, 0, 3, 0]);
  const { q, r } = qr(a);
  expect(gap(product(q, r).data, a.data)).toBeLessThan(1e-15);
});

it("luBasis spans what the columns span, with entries up to 1", () => {
  const a = product(normal(9, 3), normal(3, 4, 5));
  const basis = luBasis(a);
  expect(Math.max(...basis.data.map(Math.abs))).toBe(1);
  // The fourth column depends on the others, so the first three are all there is.
  const { q } = qr(columns(basis, 3));
  expect(gap(product(q, product(transposed(q), a)).data, a.data)).toBeLessThan(1e-13);
});

describe("singularValues", () => {
  it.each([
    [30, 30],
    [50, 20],
    [20, 50],
    [1, 9],
  ])("are jacobiSvd's for [%i, %i]", (m, n) => {
    const a = normal(m, n);
    const want = jacobiSvd(a).s;
    expect(gap(singularValues(a), want)).toBeLessThan(1e-13 * want[0]!);
  });
  it("finds a spectrum over ten orders of magnitude, zeros included", () => {
    const spectrum = [1e4, 1, 1, 1e-3, 1e-6];
    const found = singularValues(withSpectrum(40, 25, spectrum));
    expect(gap(found, [...spectrum, ...Array.from({ length: 20 }, () => 0)])).toBeLessThan(1e-10);
  });
  it("of zeros are zeros", () => expect([...singularValues(matrix(3, 4))]).toEqual([0, 0, 0]));
});

it("lowRankSvd is the SVD of the product", () => {
  const [b, a] = [normal(40, 5), normal(5, 30, 7)];
  const [got, want] = [lowRankSvd(b, a), jacobiSvd(product(b, a))];
  expect(gap(got.s, want.s.slice(0, 5))).toBeLessThan(1e-12);
});

describe("randomizedSvd", () => {
  it.each([
    ["a spectrum that falls fast", 300, 220, 8, Array.from({ length: 60 }, (_, i) => 10 * 0.8 ** i), 1e-6],
    ["low rank under noise", 260, 400, 6, [9, 8, 7, 5, 4, 3, ...Array.from({ length: 200 }, () => 0.05)], 1e-5],
  ])("approximates as well as the exact SVD: %s", async (_, m, n, rank, spectrum, tolerance) => {
    const a = withSpectrum(m, n, spectrum);
    const onDevice = tensor(Float32Array.from(a.data), { shape: [m, n] });
    const [got, want] = [await randomizedSvd(onDevice, rank), truncatedSvd(a, rank)];
    expect(gap(got.s, want.s)).toBeLessThan(tolerance * want.s[0]!);
    const scaled = (u: Matrix, s: Float64Array): Matrix =>
      matrix(
        u.rows,
        u.cols,
        u.data.map((x, i) => x * s[i % s.length]!),
      );
    const residual = (svd: typeof got): number => {
      const kept = product(scaled(svd.u, svd.s), svd.vt);
      return Math.sqrt(a.data.reduce((sum, x, i) => sum + (x - kept.data[i]!) ** 2, 0));
    };
    expect(residual(got)).toBeLessThan(residual(want) * 1.001);
    const again = await randomizedSvd(onDevice, rank);
    expect(gap(again.u.data, got.u.data)).toBe(0);
  });

  it("gives as many triplets as there are", async () => {
    const { u, s, vt } = await randomizedSvd(tensor(Float32Array.of(3, 0, 0, 0, 4, 0), { shape: [2, 3] }), 9);
    expect([u.cols, s.length, vt.rows]).toEqual([2, 2, 2]);
    expect(gap(s, [4, 3])).toBeLessThan(1e-6);
  });
});
