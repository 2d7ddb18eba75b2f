// Run by hot-swap.html: a page whose model changes its adapter between two tokens' worth of answers, without loading anything again.
import { TextGenerator } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { loadCausalLM } from "@weft/models";
import { getPeftModel } from "@weft/registry";
import { Device } from "@weft/tensor-core";
import { openTinyModel } from "@weft/tiny-models";

/** Random factors: a trained adapter is opened by `loadAdapter` of `@weft/registry`. */
const LORA = { peft_type: "LORA", r: 4, lora_alpha: 32, target_modules: "all-linear", init_lora_weights: false } as const;

/** Fills an element with a select of adapters and a button that writes on. @returns an end to it */
export async function hotSwap(root: HTMLElement): Promise<() => Promise<void>> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const { config, weights, tokenizer } = await openTinyModel("llama");
  const model = await loadCausalLM(config, weights, { device });
  const peft = await getPeftModel(model, LORA, { methods: LORA_METHODS, seed: 1, adapterName: "red" });
  await peft.addAdapter("green", LORA, { seed: 2 });
  const adapters = ["red", "green"];
  const generator = new TextGenerator(peft, { tokenizer, adapters, maxBatch: 1, contextLength: 64 });

  const [select, button, text] = [document.createElement("select"), document.createElement("button"), document.createElement("p")];
  select.append(new Option("base model", "__base__"), ...adapters.map((name) => new Option(name)));
  button.textContent = "write";
  button.addEventListener("click", async () => {
    button.disabled = true;
    text.textContent = "It was";
    for await (const { text: more } of generator.generate("It was", { adapter: select.value, maxNewTokens: 12, temperature: 0 }))
      text.textContent += more;
    button.disabled = false;
  });
  root.replaceChildren(select, button, text);
  return async () => {
    await generator.dispose();
    device.dispose();
  };
}
