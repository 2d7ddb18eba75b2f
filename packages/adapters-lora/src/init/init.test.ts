import { readFileSync } from "node:fs";
import { type LayerKind, type LayerSpec, tensor, torchGenerator } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { LoraConfig } from "../lora/config.js";
import { LORA } from "../lora/lora.js";
import { initLora } from "./init.js";
import { columns, jacobiSvd, matrix, type Matrix, product, qr, transposed, truncatedSvd } from "@weft/tensor-core/linalg";

interface Fixture {
  seed: number;
  cases: {
    name: string;
    config: Record<string, unknown>;
    layers: { type: string; shape: number[]; bias: boolean }[];
    weights: Record<string, number[]>;
    params: Record<string, { shape: number[]; values: number[] }>;
  }[];
}
const fixture = JSON.parse(readFileSync(new URL("init.fixture.json", import.meta.url), "utf8")) as Fixture;
const KINDS: Record<string, LayerKind> = { Linear: "linear", Conv1D: "linear", Conv2d: "conv2d", Embedding: "embedding" };
/** Draws are torch's own; Box–Muller's logarithm and the QR differ in the last bits. */
const TOLERANCE: Record<string, number> = { gaussian: 2 ** -20, orthogonal: 2e-6, embedding: 2 ** -19, dora: 2e-6 };

describe("initialisation with the seed of get_peft_model", () => {
  for (const { name, config: fields, layers, weights, params } of fixture.cases) {
    it(`${name} gives PEFT's parameters${TOLERANCE[name] ? "" : " bit for bit"}`, async () => {
      const generator = torchGenerator(fixture.seed);
      const config = new LoraConfig({ r: 2, ...fields });
      let compared = 0;
      for (const [i, info] of layers.entries()) {
        const spec: LayerSpec = {
          kind: KINDS[info.type]!,
          shape: info.shape,
          dtype: "f32",
          bias: info.bias,
          transposed: info.type === "Conv1D",
          conv: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 },
        };
        const made = await initLora(config, spec, generator, tensor(Float32Array.from(weights[`${i}.weight`]!), { shape: info.shape }));
        for (const [key, t] of Object.entries(made.params)) {
          const suffixes = LORA.keys(spec)[key]!;
          const want = suffixes.map((s) => params[`${i}.${s}`]).find((p) => p !== undefined)!;
          expect(t.shape).toEqual(want.shape);
          const values = await t.data();
          want.values.forEach((v, at) => expect(Math.abs(values[at]! - v)).toBeLessThanOrEqual(TOLERANCE[name] ?? 0));
          compared++;
        }
      }
      expect(compared).toBe(Object.keys(params).length);
    });
  }

  it("refuses what it cannot collect", async () => {
    const spec: LayerSpec = { kind: "linear", shape: [4, 4], dtype: "f32", bias: false };
    await expect(initLora(new LoraConfig({ init_lora_weights: "corda" }), spec, torchGenerator(0))).rejects.toThrow(
      "data that a config does not hold",
    );
  });
});

/** A fixed matrix with entries in (-1, 1). */
function sample(rows: number, cols: number): Matrix {
  let x = 12345;
  return matrix(
    rows,
    cols,
    Float64Array.from({ length: rows * cols }, () => (x = (x * 48271) % 2147483647) / 1073741824 - 1),
  );
}
const gap = (a: Matrix, b: Matrix): number => a.data.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b.data[i]!)), 0);
const identity = (n: number): Matrix =>
  matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  );

describe("decompositions", () => {
  it.each([
    [7, 4],
    [4, 7],
    [5, 5],
    [1, 3],
  ])("QR of %i×%i: orthonormal Q, Q·R = A", (m, n) => {
    const a = sample(m, n);
    const { q, r } = qr(a);
    expect(gap(product(q, r), a)).toBeLessThan(1e-14 * 10);
    expect(gap(product(transposed(q), q), identity(Math.min(m, n)))).toBeLessThan(1e-14);
  });
  it.each([
    [9, 5],
    [5, 9],
    [6, 6],
  ])("SVD of %i×%i: orthonormal factors, U·S·Vᵀ = A, descending", (m, n) => {
    const a = sample(m, n);
    const { u, s, vt } = jacobiSvd(a);
    const k = Math.min(m, n);
    const us = matrix(
      m,
      k,
      u.data.map((x, i) => x * s[i % k]!),
    );
    expect(gap(product(us, vt), a)).toBeLessThan(1e-13);
    expect(gap(product(transposed(u), u), identity(k))).toBeLessThan(1e-13);
    expect([...s]).toEqual([...s].sort((x, y) => y - x));
  });
  it("a large matrix of known rank is found by the subspace iteration", () => {
    const left = qr(sample(300, 6)).q;
    const right = qr(sample(260, 6)).q;
    const values = [9, 7, 5, 3, 2, 1];
    const a = product(
      matrix(
        300,
        6,
        left.data.map((x, i) => x * values[i % 6]!),
      ),
      transposed(right),
    );
    const { u, s, vt } = truncatedSvd(a, 3);
    [9, 7, 5].forEach((v, i) => expect(s[i]).toBeCloseTo(v, 10));
    const us = matrix(
      300,
      3,
      u.data.map((x, i) => x * s[i % 3]!),
    );
    const best = product(
      matrix(
        300,
        3,
        columns(left, 3).data.map((x, i) => x * values[i % 3]!),
      ),
      transposed(columns(right, 3)),
    );
    expect(gap(product(us, vt), best)).toBeLessThan(1e-10);
  });
});
