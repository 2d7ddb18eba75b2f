import { generationDefaults, TextGenerator } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { loadCausalLM } from "@weft/models";
import { Device } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { openTinyModel, openTinyText } from "./index.js";

it("a page opens a model and a text from its own host, and generates", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const { config, weights, tokenizer, generationConfig } = await openTinyModel("llama");
  const model = await loadCausalLM(config, weights, { device });
  const generator = new TextGenerator(model, { tokenizer, defaults: generationDefaults(generationConfig), maxBatch: 1 });
  const { text } = await generator.generate("It was", { maxNewTokens: 16, seed: 3 }).result;
  expect(text.length).toBeGreaterThan(10);
  await generator.dispose();
  device.dispose();
  expect(await openTinyText("romeo-and-juliet-act-5")).toContain("JULIET:");
});
