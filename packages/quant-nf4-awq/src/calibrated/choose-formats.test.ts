import { expect, it, test } from "vitest";
import { chooseFormats, type FormatChoice, fourBit, GGUF_TYPES, inputStatistics, type LayerChoices, measureFormats } from "../index.js";

/** Numbers in no order, the same for a seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
const formats = [GGUF_TYPES.Q2_K, GGUF_TYPES.Q3_K, GGUF_TYPES.Q4_K, GGUF_TYPES.Q6_K, GGUF_TYPES.Q8_0] as const;

/** The best of all ways, one by one. */
function everyWay(layers: readonly LayerChoices[], budget: number): { error: number; bytes: number } {
  let best = { error: Infinity, bytes: Infinity };
  const go = (i: number, bytes: number, error: number): void => {
    if (bytes > budget) return;
    if (i === layers.length) {
      if (error < best.error || (error === best.error && bytes < best.bytes)) best = { error, bytes };
      return;
    }
    for (const c of layers[i]!.choices) go(i + 1, bytes + c.bytes, error + c.error);
  };
  go(0, 0, 0);
  return best;
}

it.each(Array.from({ length: 40 }, (_, seed) => seed + 1))("chooseFormats finds the best of all ways (%i)", (seed) => {
  const next = random(seed * 7919);
  const layers: LayerChoices[] = Array.from({ length: 6 }, (_, i) => ({
    path: `layer.${i}`,
    // Some of them cost more and lose more: never chosen; sizes repeat, as those of models do.
    choices: formats.map((format, k): FormatChoice => ({
      format,
      bytes: (k + 1) * (seed % 2 ? 100 : 100 + Math.floor(next() * 90)),
      error: next() * 4 ** -(k + next()),
    })),
  }));
  const budget = 600 + Math.floor(next() * 2400);
  if (everyWay(layers, budget).error === Infinity) return void expect(() => chooseFormats(layers, budget)).toThrow("the budget is");
  const chosen = chooseFormats(layers, budget);
  const want = everyWay(layers, budget);
  expect(chosen.error).toBeCloseTo(want.error, 12);
  expect(chosen.bytes).toBeLessThanOrEqual(budget);
  expect([...chosen.formats.values()].reduce((sum, { bytes }) => sum + bytes, 0)).toBe(chosen.bytes);
  expect([...chosen.formats.keys()]).toEqual(layers.map(({ path }) => path));
});

test("a model of 300 layers is decided at once, within its bytes", () => {
  const next = random(5);
  const layers: LayerChoices[] = Array.from({ length: 300 }, (_, i) => ({
    path: `layer.${i}`,
    choices: formats.map((format, k) => ({ format, bytes: 1000 * (k + 2) * (1 + (i % 4)), error: (0.5 + next()) * 4 ** -k })),
  }));
  const chosen = chooseFormats(layers, 3_000_000);
  expect(chosen.bytes).toBeGreaterThan(2_990_000);
  expect(chosen.bytes).toBeLessThanOrEqual(3_000_000);
  expect(chooseFormats(layers, 3_000_000)).toEqual(chosen);
});

test("errors are measured of the weight, or of what it does to its inputs", async () => {
  const weight = Float32Array.from({ length: 8 * 256 }, (_, i) => Math.sin(i * i));
  const x = Float32Array.from({ length: 20 * 256 }, (_, i) => (i % 256 < 8 ? 10 : 0.01) * Math.cos(i * i * 0.37));
  const plain = await measureFormats(weight, [8, 256], [fourBit(), GGUF_TYPES.Q8_0]);
  expect(plain.map(({ bytes }) => bytes)).toEqual([8 * 144 + 64, 8 * 8 * 34]);
  expect(Math.sqrt(plain[0]!.error)).toBeGreaterThan(0.05);
  expect(plain[1]!.error).toBeLessThan(plain[0]!.error / 100);
  const seen = await measureFormats(weight, [8, 256], [fourBit()], { inputs: inputStatistics(x, 256) });
  expect(Math.abs(seen[0]!.error / plain[0]!.error - 1)).toBeGreaterThan(0.01);
  expect(() => chooseFormats([{ path: "q", choices: plain }], 100)).toThrow("the budget is 100 bytes, and the smallest formats take 1216");
  expect(() => chooseFormats([{ path: "q", choices: [] }], 100)).toThrow("q has no choice");
});
