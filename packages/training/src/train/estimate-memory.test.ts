import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { type CausalInputs, type CausalOutput, LlamaForCausalLM, llamaParameters, readLlamaConfig } from "@weft/models";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { Device, fromSource, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { SMALL_LORA } from "../testing/fixtures.js";
import type { Batch } from "./batch.js";
import { estimateMemory } from "./estimate-memory.js";
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
