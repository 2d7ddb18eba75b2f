import { beforeAll, describe, expect, it, test } from "vitest";
import { awq, inputStatistics, type InputStatistics, quantize, resultError, searchClip, searchScales, unpack } from "../index.js";
import { Fixture, manifestOf } from "../testing/fixture.js";

const about = manifestOf("awq.safetensors") as { readonly group_size: number; readonly best_ratio: number };
const groupSize = about.group_size;
let fixture: Fixture;
let inputs: InputStatistics;
beforeAll(async () => {
  fixture = await Fixture.open("awq.safetensors");
  inputs = inputStatistics(fixture.values("search.x"), 256);
});
const weights = (name: string) => ({ values: fixture.values(name), shape: fixture.shape(name) });
const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((worst, v, i) => Math.max(worst, Math.abs(v / b[i]! - 1)), 0);
/** Mean of the squared change of x·Wᵀ. */
const lossOf =
  (values: Float32Array) =>
  async (rounded: Float32Array): Promise<number> => {
    const rows = values.length / 256;
    return (
      resultError(
        rounded.map((v, i) => v - values[i]!),
        rows,
        inputs,
      ) /
      inputs.tokens /
      rows
    );
  };

describe("AWQ", () => {
  it("finds the scales of AutoAWQ, by its losses", async () => {
    const w = weights("search.weight");
    const found = await searchScales(w, inputs, { groupSize }, lossOf(w.values));
    expect(found.ratio).toBe(about.best_ratio);
    expect(gap(found.losses, fixture.values("search.losses"))).toBeLessThan(1e-4);
    expect(gap(found.scales, fixture.values("search.scales"))).toBeLessThan(1e-5);
  });

  it("limits groups as AutoAWQ does, and has its integers", async () => {
    const w = weights("search.weight_scaled");
    const s = fixture.values("search.scales");
    const gram = inputStatistics(
      fixture.values("search.x").map((v, i) => v / s[i % 256]!),
      256,
    ).gram!;
    const { values, limits } = searchClip(w, gram, groupSize);
    const want = fixture.values("search.clip_max");
    expect(limits.filter((v, i) => Math.abs(v / want[i]! - 1) < 1e-5).length).toBe(want.length);
    const codes = await unpack(quantize(values, w.shape, awq({ groupSize }), "f16"));
    const theirs = fixture.view("search.codes").data;
    expect(codes.filter((code, i) => code === theirs[i]).length / theirs.length).toBeGreaterThan(0.99);
  });
});

test("without the weights' share scales follow from the inputs alone", async () => {
  const w = weights("search.weight");
  const { losses, scales, ratio } = await searchScales(w, inputs, { groupSize, gridSize: 4, duoScaling: false }, lossOf(w.values));
  expect(losses).toHaveLength(4);
  const raised = inputs.magnitudes.map((m) => Math.max(1e-4, (m / inputs.tokens) ** ratio));
  const middle = Math.sqrt(Math.max(...raised) * Math.min(...raised));
  expect(
    gap(
      scales,
      raised.map((v) => v / middle),
    ),
  ).toBeLessThan(1e-6);
});
