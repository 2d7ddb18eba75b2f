import { loadPretrained } from "@weft/models/node";
import { PeftModel } from "@weft/registry";
import { loadAdapter } from "@weft/registry/node";
import { ConfigError, type Device, type LongCallOptions, type MethodTable } from "@weft/tensor-core";
import type { AdaptedCausalLM, GenerativeModel } from "../engine/batch-decoder.js";
import { TextGenerator, type TextGeneratorOptions } from "../text/text-generator.js";
import { localModel } from "./local-model.js";
import { openGenerationFiles } from "./open-generation-files.js";

/** What is loaded, and how it generates. */
export interface LoadTextGeneratorOptions extends Partial<Omit<TextGeneratorOptions, "adapters" | "device">>, LongCallOptions {
  readonly device: Device;
  /** Folders or files of adapters by name, of which each answer may choose one. */
  readonly adapters?: { readonly [name: string]: string };
  /** What adapters may be: a table of `@weft/methods`. */
  readonly methods?: MethodTable;
}

/**
 * A generator of the model of a folder, a GGUF file or a repository of the hub (`hf:user/repo`), with its tokenizer, chat template and generation config.
 * @throws what `loadPretrained`, `openGenerationFiles` and `loadAdapter` throw
 */
export async function loadTextGenerator(path: string, options: LoadTextGeneratorOptions): Promise<TextGenerator> {
  const { adapters, methods, signal, onProgress, ...rest } = options;
  const place = await localModel(path, { signal, onProgress });
  const files = await openGenerationFiles(place);
  const base = await loadPretrained(place, { device: options.device, signal, onProgress });
  let model: GenerativeModel = base;
  if (adapters) {
    if (!methods) throw new ConfigError("adapters are given without `methods`", { hint: "methods: ADAPTER_METHODS, of @weft/methods" });
    model = new PeftModel(base, methods) as AdaptedCausalLM;
    for (const [name, folder] of Object.entries(adapters)) await loadAdapter(model as PeftModel<never, unknown>, folder, name, { signal });
  }
  return new TextGenerator(model, { ...files, ...rest, ...(adapters && { adapters: Object.keys(adapters) }) });
}
