import type { HookedModel } from "../model/hooked-model.js";
import { type LoadAdapterOptions, PeftModel } from "../model/peft-model.js";
import type { OpenAdapterOptions } from "../open-adapter.js";
import { openAdapterFolder } from "./open-adapter-folder.js";

/** A model with an adapter from a folder or file. @throws the errors of `openAdapterFolder` and `PeftModel.loadAdapter` */
export async function loadPeftModel<I, O>(
  model: HookedModel<I, O>,
  path: string,
  adapterName = "default",
  options: OpenAdapterOptions & LoadAdapterOptions = {},
): Promise<PeftModel<I, O>> {
  const peft = new PeftModel(model, options.methods);
  await loadAdapter(peft, path, adapterName, options);
  return peft;
}

/** Adds an adapter from a folder or file to a model. */
export async function loadAdapter(
  peft: PeftModel<never, unknown>,
  path: string,
  name: string,
  options: OpenAdapterOptions & LoadAdapterOptions = {},
): Promise<void> {
  const adapter = await openAdapterFolder(path, options);
  try {
    await peft.loadAdapter(adapter, name, options);
  } finally {
    await adapter.weights.close();
  }
}
