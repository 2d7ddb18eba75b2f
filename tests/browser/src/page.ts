import { ADAPTER_METHODS } from "@weft/methods";
import { openSafetensors } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { createWebGpuBackend } from "@weft/kernels-webgpu";
import { LlamaForCausalLM } from "@weft/models";
import { openAdapter } from "@weft/adapter-files";
import { PeftModel } from "@weft/registry";
import { createDevice, WeftError } from "@weft/tensor-core";

/** What a page or worker answers. */
export interface Answer {
  readonly backend?: string;
  readonly threads?: number;
  readonly maxBufferBytes?: number;
  readonly logits?: readonly number[];
  readonly error?: { readonly name: string; readonly kind: string; readonly message: string; readonly hint: string };
}

/** A model and an adapter off this page's server by relative URLs, the adapter's tensors as a user's file, and one pass. */
async function run(): Promise<Answer> {
  try {
    const device = await createDevice("auto", {
      webgpu: () => createWebGpuBackend(navigator.gpu),
      cpu: () => createWasmBackend(),
    });
    const text = async (path: string): Promise<string> => (await fetch(path)).text();
    const base = await openSafetensors("base/model.safetensors.index.json");
    const model = await LlamaForCausalLM.load(await text("base/config.json"), base, { device });
    const file = new File([await (await fetch("adapter/adapter_model.safetensors")).blob()], "adapter_model.safetensors");
    const adapter = await openAdapter(
      { config: await text("adapter/adapter_config.json"), weights: await openSafetensors(file) },
      { methods: ADAPTER_METHODS },
    );
    const peft = await PeftModel.fromPretrained(model, adapter);
    const { logits } = peft.forward({ inputIds: device.tensor([[5, 6, 7]], { dtype: "i32" }) });
    const { name, capabilities } = device.backend;
    return {
      backend: name,
      threads: capabilities.threads,
      maxBufferBytes: capabilities.maxBufferBytes,
      logits: [...(await logits.data())].slice(-4),
    };
  } catch (error) {
    const { name, message } = error as Error;
    return {
      error: { name, message, kind: error instanceof WeftError ? error.kind : "", hint: (error instanceof WeftError && error.hint) || "" },
    };
  }
}

void run().then((answer) => fetch("answer", { method: "POST", body: JSON.stringify(answer) }));
