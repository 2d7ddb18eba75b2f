import { expect } from "vitest";
import { f32, type StoredTensor } from "./write-tensors.js";

/** A matrix as rows. */
export type Matrix = readonly (readonly number[])[];

/** Values in -0.5 … 0.5 that are the same in every run. */
const random = (seed: number): (() => number) => {
  let x = seed;
  return () => ((x = (x * 16807) % 2147483647) / 2147483647 - 0.5) as number;
};
const draw = random(7);
/** The next values of the run, as f32 holds them. */
export const matrix = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.fround(draw())));
/** a + scale·b. */
export const add = (a: Matrix, b: Matrix, scale = 1): Matrix => a.map((row, i) => row.map((x, j) => x + scale * b[i]![j]!));
/** a·b. */
export const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
/** a ⊗ b. */
export const kron = (a: Matrix, b: Matrix): Matrix => a.flatMap((row) => b.map((inner) => row.flatMap((x) => inner.map((y) => x * y))));
/** One below the other. */
export const stack = (...parts: Matrix[]): Matrix => parts.flat();

/** A matrix as an f32 tensor of a file. */
export const stored = (m: Matrix): StoredTensor =>
  f32([m.length, m[0]!.length], (i) => m[Math.floor(i / m[0]!.length)]![i % m[0]!.length]!);
/** A vector as an f32 tensor of a file. */
export const vector = (v: readonly number[]): StoredTensor => f32([v.length], (i) => v[i]!);
/** A scalar as an f32 tensor of a file. */
export const scalar = (x: number): StoredTensor => f32([], () => x);

/** The values of an f32 tensor. */
export const floats = ({ bytes }: { readonly bytes: Buffer }): number[] => [
  ...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)),
];

/** Fails unless values are those of a matrix but for the rounding of f32 sums. */
export function expectClose(got: readonly number[], want: Matrix): void {
  const values = want.flat();
  expect(got).toHaveLength(values.length);
  expect(Math.max(...got.map((x, i) => Math.abs(x - values[i]!)))).toBeLessThan(2e-6);
}
