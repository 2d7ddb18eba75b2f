import type { CausalLM } from "@weft/models";
import type { AdaptedCausalLM, GenerativeModel } from "@weft/generation";
import type { GenerationFiles } from "@weft/generation/node";
import { loadAdapter } from "@weft/registry/node";
import { PeftModel } from "@weft/registry";
import type { Device } from "@weft/tensor-core";
import type { Context } from "../context.js";
import { parseScaledPath } from "../files/scaled-path.js";
import { withProgress } from "../progress.js";
import type { Activations, DeviceName } from "./device-names.js";
import { openDevice } from "./open-device.js";

/** Tokens of an answer for which no number is given. */
const MAX_NEW_TOKENS = 256;

/** What names a model and its adapters. */
export interface ModelCommandOptions {
  readonly model: string;
  readonly adapter: readonly string[];
  readonly device: DeviceName;
  readonly activations?: Activations;
  /** Nothing is fetched; as the environment says if not given. */
  readonly offline?: boolean | undefined;
}

/** A causal language model that is ready to run. */
export interface OpenedModel {
  readonly device: Device;
  readonly base: CausalLM;
  /** With the adapters, if there are any. */
  readonly model: GenerativeModel;
  readonly files: GenerationFiles;
}

/** Loads the model of a command, and puts its adapters on. @throws what `loadPretrained`, `openGenerationFiles` and `loadAdapter` throw */
export async function openModel(
  { model: path, adapter, device: name, activations, offline }: ModelCommandOptions,
  context: Context,
): Promise<OpenedModel> {
  const [{ loadPretrained }, { localModel, openGenerationFiles }] = await Promise.all([
    import("@weft/models/node"),
    import("@weft/generation/node"),
  ]);
  const { signal } = context;
  const place = await withProgress("download", context, (onProgress) => localModel(path, { signal, onProgress, offline }));
  const files = await openGenerationFiles(place);
  const device = await openDevice(name, context, activations);
  const base = await withProgress("load", context, (onProgress) => loadPretrained(place, { device, signal, onProgress }));
  const model = adapter.length === 0 ? base : await withAdapters(base, adapter, context);
  return { device, base, model, files: { ...files, defaults: { maxNewTokens: MAX_NEW_TOKENS, ...files.defaults } } };
}

/** A model with adapters, which act in their order. @param adapters paths, each perhaps with a factor behind a colon */
export async function withAdapters(base: CausalLM, adapters: readonly string[], context: Context): Promise<AdaptedCausalLM> {
  const { table } = await context.methods();
  const peft = new PeftModel(base, table) as AdaptedCausalLM;
  const names: string[] = [];
  for (const [i, text] of adapters.entries()) {
    const name = `adapter ${i + 1}`;
    await addAdapter(peft, text, name, context);
    names.push(name);
  }
  peft.setAdapter(names);
  return peft;
}

/** Puts an adapter on a model, under a name. @param adapter its path, perhaps with a factor behind a colon */
export async function addAdapter(peft: AdaptedCausalLM, adapter: string, name: string, { signal }: Context): Promise<void> {
  const { path, scale } = parseScaledPath(adapter);
  await loadAdapter(peft as PeftModel<never, unknown>, path, name, { signal });
  if (scale !== 1) peft.setScale(scale, name);
}
