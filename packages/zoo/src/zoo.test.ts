import { createWasmBackend } from "@weft/kernels-wasm";
import { parameterShapes } from "@weft/models";
import { Device, sizeOf } from "@weft/tensor-core";
import { expect, test } from "vitest";
import { KNOWN_MODELS, knownModel } from "./known-models.js";
import { isEncoder, memoryToRun, memoryToTrain, STORAGES } from "./memory.js";
import { QLORA_BYTES } from "./qlora-bytes.js";

test.each(KNOWN_MODELS.map((model) => [model.repo, model] as const))("%s has as many parameters as its config asks for", (_, model) => {
  expect([...parameterShapes(model.config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0)).toBe(model.parameters);
});

test("every model that can be trained has its memory of QLoRA, and nothing else has", () => {
  expect(Object.keys(QLORA_BYTES)).toEqual(KNOWN_MODELS.filter((model) => !isEncoder(model)).map(({ repo }) => repo));
});

test("a model is found by its name, with or without its user and hf:, and names that several have are not", () => {
  const smollm = KNOWN_MODELS.find(({ repo }) => repo === "HuggingFaceTB/SmolLM2-135M-Instruct");
  for (const name of ["HuggingFaceTB/SmolLM2-135M-Instruct", "hf:HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2-135m-instruct"])
    expect(knownModel(name)).toBe(smollm);
  expect(knownModel("SmolLM2")).toBeUndefined();
});

const SMOLLM = knownModel("SmolLM2-135M-Instruct")!;

test("weights are counted as bitsandbytes stores them, and the cache by its positions", async () => {
  const { parameters } = SMOLLM;
  const linear = 30 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 576 * 1536);
  const weights = Object.fromEntries(
    await Promise.all(STORAGES.map(async (s) => [s, (await memoryToRun(SMOLLM, s, 1000)).weightBytes] as const)),
  );
  expect(weights["f32"]).toBe(4 * parameters);
  expect(weights["bf16"]).toBe(2 * parameters);
  // A byte a weight, and a scale in f32 for each of the outputs.
  expect(weights["int8"]! - 2 * (parameters - linear) - linear).toBe(4 * 30 * (576 + 192 + 192 + 576 + 1536 + 1536 + 576));
  // Half a byte and, for 64 of them, a byte; a scale for 256 of those, and tables.
  const nf4 = weights["nf4"]! - 2 * (parameters - linear);
  expect(nf4).toBeGreaterThan(linear * (0.5 + 1 / 64));
  expect(nf4).toBeLessThan(linear * (0.5 + 1.2 / 64));
  const { cacheBytes } = await memoryToRun(SMOLLM, "bf16", 1000);
  expect(cacheBytes).toBe(2 * 30 * 3 * 64 * 1000 * 2);
  expect((await memoryToRun(knownModel("mamba-130m-hf")!, "bf16", 1000)).cacheBytes).toBe(
    (await memoryToRun(knownModel("mamba-130m-hf")!, "bf16", 10)).cacheBytes,
  );
});

test("the table of QLoRA says what the plan of a step says", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const bytes = await memoryToTrain(SMOLLM, "nf4", device);
  expect(Math.abs(bytes / QLORA_BYTES[SMOLLM.repo]! - 1)).toBeLessThan(0.02);
  expect(await memoryToTrain(SMOLLM, "nf4", device, { length: 128 })).toBeLessThan(bytes);
  await expect(memoryToTrain(knownModel("all-MiniLM-L6-v2")!, "nf4", device)).rejects.toThrow();
}, 120_000);
