import { beforeAll, describe, expect, it, test } from "vitest";
import { dequantize, GPTQ_FILES, inputStatistics, type InputStatistics, quantize, gptq, quantizeWeightGPTQ, unpack } from "../index.js";
import { Fixture, manifestOf } from "../testing/fixture.js";
import { resultError } from "./input-statistics.js";

interface Case {
  readonly group_size: number;
  readonly sym: boolean;
  readonly desc_act: boolean;
  readonly loss: number;
}
let fixture: Fixture;
let inputs: InputStatistics;
let weight: Float32Array;
let shape: readonly [number, number];
beforeAll(async () => {
  fixture = await Fixture.open("gptq.safetensors");
  const x = fixture.values("x");
  inputs = inputStatistics(x.subarray(0, 20 * 256), 256);
  for (let sample = 1; sample < 6; sample++) inputs = inputStatistics(x.subarray(sample * 20 * 256, (sample + 1) * 20 * 256), 256, inputs);
  weight = fixture.values("weight");
  shape = fixture.shape("weight");
});
const errorOf = async (w: Awaited<ReturnType<typeof quantizeWeightGPTQ>>["weight"]): Promise<number> =>
  resultError(
    (await dequantize({ ...w, dtype: "f32" })).map((v, i) => v - weight[i]!),
    shape[0],
    inputs,
  ) / inputs.tokens;

const cases = manifestOf("gptq.safetensors").cases as { readonly [name: string]: Case };
describe.each(Object.entries(cases))("GPTQ, %s", (name, { group_size: groupSize, sym, desc_act: descAct, loss }) => {
  const solve = (): ReturnType<typeof quantizeWeightGPTQ> =>
    quantizeWeightGPTQ(weight, shape, inputs, { groupSize, sym, descAct, checkpointFormat: "gptq_v2" });

  it("has the words of AutoGPTQ's algorithm in f64", () => {
    const tensors = GPTQ_FILES.write!(solve().weight);
    for (const part of ["qweight", "scales", "g_idx"]) expect(tensors.get(part)!.data, part).toEqual(fixture.view(`${name}.${part}`).data);
    expect(tensors.get("qzeros")!.data).toEqual(fixture.view(`${name}.qzeros_v2`).data);
  });

  it("has its loss, and says it", async () => {
    const solved = solve();
    // The fixture's is of 2 / 6 · Σ x·xᵀ, ours for each of 120 tokens; what is stored has scales in f16.
    const stored = await errorOf(solved.weight);
    expect(((stored * 120) / 6) * 2).toBeCloseTo(loss, 1);
    expect(Math.abs(solved.loss / ((loss * 6) / 240) - 1)).toBeLessThan(1e-6);
  });
});

test.each([2, 3, 4, 8] as const)("%i bits: errors that are spread leave less than errors that are not", async (bits) => {
  const options = { bits, groupSize: 64, sym: false, checkpointFormat: "gptq_v2" } as const;
  const solved = quantizeWeightGPTQ(weight, shape, inputs, options);
  expect(await errorOf(solved.weight)).toBeLessThan(0.5 * (await errorOf(quantize(weight, shape, gptq(options), "f16"))));
  const again = GPTQ_FILES.read(GPTQ_FILES.write!(solved.weight), {
    config: { bits, group_size: 64, sym: false, checkpoint_format: "gptq_v2" },
  });
  expect(await unpack(again)).toEqual(await unpack(solved.weight));
});

test("static groups stay neighbours in any order of columns, and have the grids of the weight as it was", async () => {
  const { weight: solved, loss } = quantizeWeightGPTQ(weight, shape, inputs, { groupSize: 64, descAct: true, staticGroups: true });
  const plain = quantize(weight, shape, gptq({ groupSize: 64 }), "f16");
  expect(solved.parts.g_idx).toEqual(plain.parts.g_idx);
  expect(solved.parts.scales).toEqual(plain.parts.scales);
  const inOrder = quantizeWeightGPTQ(weight, shape, inputs, { groupSize: 64, staticGroups: true });
  expect(loss).toBeLessThan(inOrder.loss);
});

test("more is added to the diagonal where the inputs are fewer than the features; what cannot be used is refused", () => {
  const few = inputStatistics(fixture.values("x").subarray(0, 3 * 256), 256);
  expect(quantizeWeightGPTQ(weight, shape, few, { dampPercent: 1e-30 }).loss).toBeGreaterThan(0);
  const bad = inputStatistics(
    Float32Array.from({ length: 256 }, (_, i) => (i === 7 ? NaN : 1)),
    256,
  );
  expect(() => quantizeWeightGPTQ(weight, shape, bad)).toThrow("the Hessian of the inputs is not positive definite");
  expect(() => quantizeWeightGPTQ(weight, shape, inputStatistics(new Float32Array(128), 128))).toThrow("statistics are of 128 inputs");
  expect(() => quantizeWeightGPTQ(weight, shape, inputs, { dampPercent: 0 })).toThrow("dampPercent is 0");
  expect(() => quantizeWeightGPTQ(weight.subarray(0, 4 * 256), [4, 256], inputs)).toThrow("multiples of 8");
});
