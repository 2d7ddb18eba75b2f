import type { HookedModel } from "./hooked-model.js";
import type { ConfigInput, NewAdapterOptions } from "./new-adapter.js";
import { PeftModel } from "./peft-model.js";

/** A model with one new adapter, as PEFT's `get_peft_model`. @throws ConfigError */
export async function getPeftModel<I, O>(
  model: HookedModel<I, O>,
  config: ConfigInput,
  { adapterName = "default", methods, ...options }: NewAdapterOptions & { readonly adapterName?: string },
): Promise<PeftModel<I, O>> {
  const peft = new PeftModel(model, methods);
  await peft.addAdapter(adapterName, config, options);
  return peft;
}
