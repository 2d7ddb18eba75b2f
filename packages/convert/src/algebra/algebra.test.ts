import { tensor, torchGenerator, torchNormal, zeros } from "@weft/tensor-core";
import { matrix, product, truncatedSvd } from "@weft/tensor-core/linalg";
import { describe, expect, it } from "vitest";
import { clampFactors } from "./clamp-factors.js";
import { countKept, type RankRule } from "./rank-rule.js";
import { decompose } from "./decompose.js";
import { extractDelta } from "./extract-delta.js";
import type { Factors } from "./factors.js";
import { resizedRank } from "./resize-rule.js";
import { resizeFactors } from "./resize-factors.js";
import { splitKernel } from "./small-conv.js";

const normal = (count: number, seed: number): Float32Array => torchNormal(torchGenerator(seed), count);

function multiplied({ out, rank, inputs, up, down }: Factors): Float64Array {
  return product(matrix(out, rank, up), matrix(rank, inputs, down)).data;
}

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => norm(Array.from(a, (v, i) => v - b[i]!));

/** Low rank under noise. */
function delta(out: number, inputs: number, rank: number, noise: number): Float32Array {
  const sum = product(matrix(out, rank, normal(out * rank, 1)), matrix(rank, inputs, normal(rank * inputs, 2)));
  const rest = normal(out * inputs, 3);
  return Float32Array.from(sum.data, (x, i) => x + noise * rest[i]!);
}

describe("countKept", () => {
  const values = [8, 4, 2, 1, 1];
  const spectrum = { values, all: true, squares: 86 };
  it.each<[RankRule["kind"], number, number]>([
    ["fixed", 3, 3],
    ["threshold", 2, 2],
    ["threshold", 0, 5],
    ["ratio", 0.25, 2],
    ["ratio", 0.2, 3],
    // Sums 8, 12, 14, 15, 16 of 16: as many as stay below the share.
    ["quantile", 0.8, 2],
    ["quantile", 0.75, 1],
    // Squares 64, 80, 84 of 86.
    ["energy", 0.93, 2],
    ["energy", 0.94, 3],
    ["energy", 1, 5],
  ])("%s %d keeps %i", (kind, value, kept) => expect(countKept({ kind, value }, spectrum)).toBe(kept));

  it("does not decide on values that it does not know", () => {
    const some = { values: [8, 4], all: false, squares: 86, sum: 16 };
    expect(countKept({ kind: "ratio", value: 0.1 }, some)).toBeUndefined();
    expect(countKept({ kind: "energy", value: 0.99 }, some)).toBeUndefined();
    expect(countKept({ kind: "quantile", value: 0.75 }, some)).toBe(1);
  });
});

describe("resizedRank", () => {
  const values = [8, 4, 2, 1];
  it.each([
    [undefined, 3, 3],
    [{ kind: "sv_ratio", value: 4 }, 9, 3],
    [{ kind: "sv_ratio", value: 1.5 }, 9, 2],
    // Shares of the sum: 8/15, 12/15, 14/15: the third is the first above 0.9; the rank is one more.
    [{ kind: "sv_cumulative", value: 0.9 }, 9, 4],
    [{ kind: "sv_cumulative", value: 0.9 }, 2, 2],
    // Squares 64/85, 80/85: the second is the first above 0.9².
    [{ kind: "sv_fro", value: 0.9 }, 9, 3],
  ] as const)("%o up to %i gives %i", (rule, cap, rank) => expect(resizedRank(rule, values, 4, cap)).toBe(rank));
  it("gives a module of zeros rank 1", () => expect(resizedRank({ kind: "sv_ratio", value: 2 }, [0, 0], 2, 9)).toBe(1));
});

describe("decompose", () => {
  it("finds on the device what the exact SVD finds, and the rank that a rule wants", async () => {
    const [rows, cols] = [200, 230];
    const values = delta(rows, cols, 40, 0.01);
    const m = tensor(values, { shape: [rows, cols] });
    const exact = truncatedSvd(matrix(rows, cols, values), 200).s;
    const { svd, rank } = await decompose(m, { kind: "threshold", value: 1 }, 200);
    expect(rank).toBe(40);
    for (let i = 0; i < 40; i++) expect(Math.abs(svd.s[i]! - exact[i]!)).toBeLessThan(1e-5 * exact[0]!);
    expect((await decompose(m, { kind: "energy", value: 0.999 }, 10)).rank).toBe(10);
    const total = exact.reduce((a, b) => a + b, 0);
    let [sum, kept] = [0, 0];
    for (const s of exact) if ((sum += s) < 0.5 * total) kept++;
    expect((await decompose(m, { kind: "quantile", value: 0.5 }, 200)).rank).toBe(kept);
  });
});

describe("extractDelta", () => {
  it("tells what is left of the change", async () => {
    const values = delta(30, 20, 3, 0.1);
    for (const clamp of [undefined, 0.9]) {
      const got = await extractDelta([30, 20], tensor(values, { shape: [30, 20] }), {
        rule: { kind: "fixed", value: 3 },
        ...(clamp && { clamp }),
      });
      if (got === "whole") throw new Error("expected factors");
      expect(got.residual).toBeCloseTo(distance(values, multiplied(got.factors)) / norm(values), 5);
    }
  });
  it("gives the change itself where the rank would be half of the outputs", async () => {
    const options = { rule: { kind: "fixed", value: 5 }, wholeFromHalf: true } as const;
    expect(await extractDelta([10, 20], tensor(delta(10, 20, 3, 0), { shape: [10, 20] }), options)).toBe("whole");
    expect(await extractDelta([11, 20], tensor(delta(11, 20, 3, 0), { shape: [11, 20] }), options)).not.toBe("whole");
  });
  it("of nothing is rank 1 and nothing", async () => {
    const got = await extractDelta([4, 3], zeros([4, 3]), { rule: { kind: "energy", value: 0.9 } });
    if (got === "whole") throw new Error("expected factors");
    expect([got.factors.rank, got.residual, norm(multiplied(got.factors))]).toEqual([1, 0, 0]);
  });
  it("refuses shares beyond 1", async () => {
    await expect(extractDelta([2, 2], zeros([2, 2]), { rule: { kind: "ratio", value: 2 } })).rejects.toThrow(/share from 0 to 1, got 2/);
    await expect(extractDelta([2, 2], zeros([2, 2]), { rule: { kind: "fixed", value: 1.5 } })).rejects.toThrow(/whole number/);
  });
});

it("resizeFactors keeps the best of the product, and says how much", () => {
  const given = { out: 12, rank: 6, inputs: 9, up: normal(72, 4), down: normal(54, 5) };
  const full = multiplied(given);
  const { factors, kept } = resizeFactors(given, undefined, 3);
  const best = truncatedSvd(matrix(12, 9, full), 9).s;
  const left = norm(best.slice(3));
  expect(distance(full, multiplied(factors))).toBeCloseTo(left, 4);
  expect(kept).toBeCloseTo(Math.sqrt(1 - (left / norm(full)) ** 2), 6);
});

it("splitKernel at full rank gives the down factor back", () => {
  const [rank, channels, kernel] = [3, 3, 4];
  const down = normal(rank * channels * kernel, 6);
  const { mid, down: small, inner } = splitKernel(down, rank, channels, kernel);
  expect(inner).toBe(3);
  const back = new Float32Array(down.length);
  for (let p = 0; p < rank; p++)
    for (let i = 0; i < channels; i++)
      for (let k = 0; k < kernel; k++)
        for (let q = 0; q < inner; q++)
          back[(p * channels + i) * kernel + k]! += mid[(p * inner + q) * kernel + k]! * small[q * channels + i]!;
  expect(distance(back, down)).toBeLessThan(1e-5);
});

it("clampFactors limits both by a quantile of the signed values", () => {
  const [a, b] = [Float32Array.of(-4, 1, 2), Float32Array.of(3, 10)];
  // Sorted -4, 1, 2, 3, 10: three quarters lie at 3.
  expect(clampFactors(0.75, a, b)).toBe(3);
  expect([...a, ...b]).toEqual([-3, 1, 2, 3, 3]);
  expect(() => clampFactors(0, a)).toThrow(/quantile/);
});
