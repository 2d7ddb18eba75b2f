// A page's program, for bundlers: a model and an adapter from files that a user chose.
import { openAdapter } from "@weft/adapter-files";
import { openSafetensors } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { LlamaForCausalLM } from "@weft/models";
import { PeftModel } from "@weft/registry";
import { Device } from "@weft/tensor-core";

/**
 * @param {{ config: string, weights: File[] }} base
 * @param {{ config: string, weights: File }} adapter
 * @param {number[][]} ids
 * @returns {Promise<{ shape: readonly number[], data: ArrayLike<number> }>} logits
 */
export async function forward(base, adapter, ids) {
  const device = new Device(await createWasmBackend());
  const model = await LlamaForCausalLM.load(base.config, await openSafetensors(base.weights), { device });
  const peft = await PeftModel.fromPretrained(
    model,
    await openAdapter({ config: adapter.config, weights: await openSafetensors(adapter.weights) }, { methods: LORA_METHODS }),
  );
  const { logits } = peft.forward({ inputIds: device.tensor(ids, { dtype: "i32" }) });
  const data = await logits.data();
  device.dispose();
  return { shape: logits.shape, data };
}
