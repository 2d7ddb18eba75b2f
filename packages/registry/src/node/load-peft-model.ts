import { existsSync } from "node:fs";
import { join } from "node:path";
import { expertPaths } from "../model/expert-state.js";
import type { HookedModel } from "../model/hooked-model.js";
import type { LoadAdapterOptions } from "../model/load-state.js";
import { PeftModel } from "../model/peft-model.js";
import type { OpenAdapterOptions, OpenedAdapter } from "@weft/adapter-files";
import { openAdapterFolder } from "@weft/adapter-files/node";

/** A model with an adapter from a folder or file. @throws the errors of `openAdapterFolder` and `PeftModel.loadAdapter` */
export async function loadPeftModel<I, O>(
  model: HookedModel<I, O>,
  path: string,
  options: OpenAdapterOptions & LoadAdapterOptions,
  adapterName = "default",
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
  given: Omit<OpenAdapterOptions, "methods"> & LoadAdapterOptions = {},
): Promise<void> {
  const options = { ...given, methods: peft.methods };
  const adapter = await openAdapterFolder(path, options);
  const experts = new Map<string, OpenedAdapter>();
  try {
    for (const [expert, place] of Object.entries(expertPaths(adapter.config))) {
      const folder = options.experts?.has(expert) ? undefined : expertFolder(path, place);
      if (folder !== undefined) experts.set(expert, await openAdapterFolder(folder, options));
    }
    await peft.loadAdapter(adapter, name, { ...options, experts: new Map([...experts, ...(options.experts ?? [])]) });
  } finally {
    for (const { weights } of [adapter, ...experts.values()]) await weights.close();
  }
}

/** Where an expert lies: as the config says, seen from the adapter's folder, as `savePretrained` writes it, or from here, as PEFT does. */
function expertFolder(path: string, place: string): string | undefined {
  return [join(path, place), place].find((folder) => existsSync(join(folder, "adapter_config.json")));
}
