import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { type CausalInputs, type CausalOutput, LlamaForCausalLM, llamaParameters, readLlamaConfig } from "@weft/models";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { fourBit, quantize, toPacked } from "@weft/quant-nf4-awq";
import { dequantize, Device, fromSource, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { dpo } from "../objectives/dpo.js";
import { SMALL_LORA } from "../testing/fixtures.js";
import type { Batch } from "./batch.js";
import { estimateMemory } from "./estimate-memory.js";
import { estimateTime } from "./estimate-time.js";
import { smallerOffers } from "./smaller-offers.js";
import { train } from "./train.js";
import type { TrainingOptions } from "./training-options.js";

const CONFIG = readLlamaConfig({
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 512,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
});

/** A Llama whose weights are read, or not, when a plan needs them. */
async function llama(device: Device, read: (bytes: number) => Promise<Uint8Array>): Promise<PeftModel<CausalInputs, CausalOutput>> {
  const weights = [...llamaParameters(CONFIG)].map(([name, shape]): [string, Tensor] => {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    return [name, fromSource({ shape, dtype: "f32", device, read: () => read(bytes) })];
  });
  const model = new LlamaForCausalLM(CONFIG, new Map(weights), { device });
  return getPeftModel<CausalInputs, CausalOutput>(model as never, SMALL_LORA, { methods: LORA_METHODS, seed: 0 });
}
const never = (): Promise<Uint8Array> => Promise.reject(new Error("a weight was read"));
const small = (bytes: number): Promise<Uint8Array> =>
  Promise.resolve(new Uint8Array(new Float32Array(bytes / 4).map((_, i) => 0.05 * Math.sin(i)).buffer));
const rows = (count: number, length: number): Batch => {
  const inputIds = Array.from({ length: count }, (_, r) => Array.from({ length }, (__, i) => (31 * r + 7 * i) % 512));
  return { inputIds, labels: inputIds };
};

describe.each([
  ["one batch", {}],
  ["blocks computed again", { gradientCheckpointing: "blocks" }],
  ["micro-batches", { gradientAccumulationSteps: 2 }],
  ["a running average", { emaDecay: 0.9, optim: "sgd", optimArgs: { momentum: 0.9 } }],
] as const)("the estimate for %s", (_, options: TrainingOptions) => {
  it.each([
    [1, 32],
    [4, 96],
  ])("of %i rows of %i tokens is what the device takes, within a tenth", async (count, length) => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const { peakBytes, weightBytes, stateBytes, workBytes } = await estimateMemory(
      await llama(device, never),
      rows(count, length),
      options,
    );
    expect(weightBytes + stateBytes + workBytes).toBe(peakBytes);
    device.dispose();

    const backend = await createWasmBackend({ threads: 1 });
    const own = new Device(backend);
    let used = 0;
    const data = [rows(count, length), rows(count, length)];
    for await (const step of train(await llama(own, small), data, { maxSteps: 2, ...options })) {
      expect(Number.isFinite(step.loss)).toBe(true);
      used = Math.max(used, backend.statistics().usedBytes);
    }
    own.dispose();
    expect(Math.abs(peakBytes / used - 1)).toBeLessThan(0.1);
  });
});

describe("what would take less", () => {
  const LENGTH = 64;
  it("is told for each way, without a weight being read, and is what the estimate of it says", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const peft = await llama(device, never);
    const peak = async (batch: Batch, options: TrainingOptions = {}): Promise<number> =>
      (await estimateMemory(peft, batch, options)).peakBytes;
    const withRank = { rank: 2, trainee: () => llama(device, never) };
    const offers = await smallerOffers(peft, rows(4, LENGTH), {}, { withRank });
    expect(offers.map(({ name, value }) => [name, value])).toEqual([
      ["gradient-checkpointing", undefined],
      ["batch-size", 2],
      ["max-length", LENGTH / 2],
      ["rank", 1],
      ["4-bit-base", undefined],
    ]);
    expect(offers.slice(0, 3).map(({ peakBytes }) => peakBytes)).toEqual([
      await peak(rows(4, LENGTH), { gradientCheckpointing: "blocks" }),
      await peak(rows(2, LENGTH), { gradientAccumulationSteps: 2 }),
      await peak(rows(4, LENGTH / 2)),
    ]);
    // Two pairs are halved to one, one pair is not halved.
    const names = async (count: number): Promise<string[]> =>
      (await smallerOffers(peft, rows(count, LENGTH), { objective: dpo(), gradientCheckpointing: "blocks" })).map(({ name }) => name);
    expect(await names(4)).toContain("batch-size");
    expect(await names(2)).toEqual(["max-length", "4-bit-base"]);
    device.dispose();
  });

  it("of a base in four bits is within a tenth of what the plan over such a base says", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const peft = await llama(device, small);
    const offer = (await smallerOffers(peft, rows(1, 32))).find(({ name }) => name === "4-bit-base")!;
    const model = peft.baseModel as unknown as LlamaForCausalLM;
    const packed: [string, Tensor][] = [];
    for (const [name, weight] of model.weights) {
      if (!name.includes("_proj")) continue;
      const values = (await weight.data()) as Float32Array;
      packed.push([name, dequantize(toPacked(quantize(values, weight.shape as [number, number], fourBit({ blocksize: 64 })), device))]);
    }
    const base = model.withWeights(new Map(packed));
    const inFour = await getPeftModel<CausalInputs, CausalOutput>(base as never, SMALL_LORA, { methods: LORA_METHODS, seed: 0 });
    expect(Math.abs(offer.peakBytes / (await estimateMemory(inFour, rows(1, 32))).peakBytes - 1)).toBeLessThan(0.1);
    expect((await smallerOffers(inFour, rows(1, 32))).some(({ name }) => name === "4-bit-base")).toBe(false);
    device.dispose();
  });
});

it("the forecast of time has the operations of a step, and grows with it", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const peft = await llama(device, never);
  const of = (batch: Batch, more: TrainingOptions = {}): ReturnType<typeof estimateTime> =>
    estimateTime(peft, batch, { seconds: 0.03, ...more });
  const [one, four, twice] = [await of(rows(1, 64)), await of(rows(4, 64)), await of(rows(4, 64), { gradientAccumulationSteps: 2 })];
  // Of each weight of a linear layer and each token a product forwards and one backwards, of two operations each; the output layer's is made again. Attention and the rest are little.
  const linear = 4 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 192);
  const least = 4 * 256 * (linear + 1.5 * 64 * 512);
  expect(four.flopsPerStep).toBeGreaterThan(least);
  expect(four.flopsPerStep).toBeLessThan(2 * least);
  expect(four.flopsPerStep / one.flopsPerStep).toBeCloseTo(4, 0);
  expect(twice.flopsPerStep / four.flopsPerStep).toBeCloseTo(2, 1);
  for (const { secondsPerStep, flopsPerSecond, bytesPerSecond, secondsPerKernel } of [one, four, twice])
    for (const value of [secondsPerStep, flopsPerSecond, bytesPerSecond, secondsPerKernel])
      expect(value).toSatisfy((x: number) => x > 0 && x < Infinity);
  device.dispose();
});

it("is lower with blocks computed again, and a budget between the two takes them", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const batch = rows(4, 128);
  const plain = (await estimateMemory(await llama(device, never), batch)).peakBytes;
  const again = (await estimateMemory(await llama(device, never), batch, { gradientCheckpointing: "blocks" })).peakBytes;
  expect(again).toBeLessThan(0.8 * plain);
  const training = train(await llama(device, small), [batch], { maxSteps: 1, gradientCheckpointing: { maxMemory: (plain + again) / 2 } });
  for await (const { loss } of training) expect(Number.isFinite(loss)).toBe(true);
  expect(training.gradientCheckpointing).toBe("blocks");
});
