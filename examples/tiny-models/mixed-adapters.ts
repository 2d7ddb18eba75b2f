import { join } from "node:path";
import { loadTextGenerator } from "@weft/generation/node";
import { LORA_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { createServer } from "@weft/server";
import { tinyModelFolder } from "@weft/tiny-models/node";
import { openDevice, type Tell } from "./setup.js";

const TOKEN = "a secret";

/** A server answers four requests in one batch, each with the adapter that it names. @param folder for the adapters */
export async function mixedAdapters(folder: string, tell: Tell): Promise<{ together: string[]; alone: string[] }> {
  const device = await openDevice();
  const model = tinyModelFolder("llama");
  const adapters: Record<string, string> = {};
  // Not trained: adapters of random numbers, each of which makes another writer of the model.
  const lora = { peft_type: "LORA", r: 4, lora_alpha: 32, target_modules: "all-linear", init_lora_weights: false } as const;
  for (const [seed, name] of ["red", "green", "blue"].entries()) {
    adapters[name] = join(folder, name);
    await savePretrained(
      await getPeftModel(await loadPretrained(model, { device }), lora, { methods: LORA_METHODS, seed }),
      adapters[name],
    );
  }
  const generator = await loadTextGenerator(model, { device, methods: LORA_METHODS, adapters, maxBatch: 4, contextLength: 64 });
  const server = createServer(generator, { modelName: "tiny", token: TOKEN });
  const { url } = await server.listen({ port: 0 });
  const ask = async (name: string): Promise<string> => {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ model: name, prompt: "It was", max_tokens: 12, temperature: 0 }),
    });
    return ((await response.json()) as { choices: [{ text: string }] }).choices[0].text;
  };
  const names = ["tiny", ...Object.keys(adapters)];
  const together = await Promise.all(names.map(ask));
  const alone = [];
  for (const name of names) alone.push(await ask(name));
  names.forEach((name, i) => tell(`${name}: It was${together[i]!}`));
  await server.stop();
  await generator.dispose();
  device.dispose();
  return { together, alone };
}
