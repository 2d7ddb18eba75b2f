// A page's program over the published packages, without Node's types: must compile with `skipLibCheck: false`.
import { ADAPTER_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { openSafetensors } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { createWebGpuBackend } from "@weft/kernels-webgpu";
import { LlamaForCausalLM } from "@weft/models";
import { openAdapter } from "@weft/adapter-files";
import { getPeftModel, PeftModel } from "@weft/registry";
import { createDevice, type Device, WeftError } from "@weft/tensor-core";

export async function open(files: FileList, config: string): Promise<Device> {
  using device = await createDevice("auto", { webgpu: () => createWebGpuBackend(navigator.gpu), cpu: () => createWasmBackend() });
  const model = await LlamaForCausalLM.load(config, await openSafetensors("model.safetensors"), { device });
  const peft = await PeftModel.fromPretrained(
    model,
    await openAdapter({ config, weights: await openSafetensors(files) }, { methods: ADAPTER_METHODS }),
  );
  try {
    const { logits } = peft.forward({ inputIds: device.tensor([[1, 2]], { dtype: "i32" }) });
    console.log((await logits.data()).length);
  } catch (error) {
    if (error instanceof WeftError) console.log(error.hint);
  }
  return device;
}

/** Inferred types of exports must be nameable. */
export const create = (model: LlamaForCausalLM) => getPeftModel(model, new LoraConfig({ r: 4 }), { methods: ADAPTER_METHODS });
