import { join } from "node:path";
import { mergeCheckpoint, quantizeToGguf } from "@weft/checkpoint/node";
import { loadTextGenerator } from "@weft/generation/node";
import { ADAPTER_METHODS, LORA_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { createServer } from "@weft/server";
import { tinyModelFolder } from "@weft/tiny-models/node";
import { train } from "@weft/training";
import { exportAdapter } from "./lycoris.js";
import { openDevice, type Tell, verseBatches, verseLoss } from "./setup.js";

/** Losses of verse that nothing has trained on: of the base, with the adapter, merged, in eight bits. */
export interface PipelineReport {
  readonly base: number;
  readonly adapter: number;
  readonly merged: number;
  readonly quantized: number;
  /** What the server answered. */
  readonly answer: string;
}

/** From a text to a server: data, training, evaluation, merging, quantising, serving, export. @param folder for all that is made */
export async function pipeline(folder: string, tell: Tell): Promise<PipelineReport> {
  const base = tinyModelFolder("llama");
  const [lora, merged, gguf] = ["lora", "merged", "verse.gguf"].map((name) => join(folder, name)) as [string, string, string];
  const device = await openDevice();

  tell("data: rows of verse; training: a LoRA");
  const model = await loadPretrained(base, { device });
  const config = { peft_type: "LORA", r: 8, target_modules: "all-linear" } as const;
  const peft = await getPeftModel(model, config, { methods: LORA_METHODS, seed: 0 });
  const losses = { base: await verseLoss(peft), adapter: 0, merged: 0, quantized: 0 };
  const options = { maxSteps: 16, learningRate: 1e-2, lrSchedulerType: "cosine" } as const;
  for await (const { step, loss } of train(peft, await verseBatches(16), options))
    if (step % 8 === 0) tell(`  step ${step}  loss ${loss.toFixed(3)}`);
  losses.adapter = await verseLoss(peft);
  await savePretrained(peft, lora);

  tell("merging into the checkpoint, quantising into a GGUF file of eight bits");
  await mergeCheckpoint({ base, adapters: [lora], out: merged, methods: ADAPTER_METHODS });
  losses.merged = await verseLoss(await loadPretrained(merged, { device }));
  await quantizeToGguf({ base: merged, out: gguf, to: "q8_0" });
  losses.quantized = await verseLoss(await loadPretrained(gguf, { device }));
  for (const [name, loss] of Object.entries(losses)) tell(`  ${name}: loss ${loss.toFixed(3)}`);

  const generator = await loadTextGenerator(gguf, { device, contextLength: 64, maxBatch: 1 });
  const server = createServer(generator, { modelName: "verse", token: "a secret" });
  const { url } = await server.listen({ port: 0 });
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer a secret" },
    body: JSON.stringify({ model: "verse", prompt: "O Romeo", max_tokens: 16, temperature: 0 }),
  });
  const answer = ((await response.json()) as { choices: [{ text: string }] }).choices[0].text;
  tell(`serving: O Romeo${answer}`);
  await server.stop();
  await generator.dispose();
  device.dispose();

  tell(`export for mlx-lm: ${(await exportAdapter(lora, join(folder, "mlx"), "mlx")).names.length} tensors`);
  return { ...losses, answer };
}
