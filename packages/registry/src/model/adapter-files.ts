import { fromCoreDType, layoutFile, type TensorEntry } from "@weft/io-safetensors";
import { CapabilityError, ConfigError, encode, type LongCallOptions, throwIfAborted } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";
import { expertsOf, savedConfig } from "./expert-state.js";
import { modelCard } from "./model-card.js";
import { onOriginalBase } from "./on-original-base.js";
import type { PeftModel } from "./peft-model.js";
import { configText, stateDict } from "./state-dict.js";

/** An adapter's tensors as they are written. */
export interface EncodedTensor extends TensorEntry {
  readonly data: Uint8Array;
}

/** What a folder of one adapter holds. */
export interface AdapterFiles {
  /** Folder below the one that is written to; empty for the adapter called `default`, as in PEFT; an expert's is below that of the adapter that mixes it. */
  readonly folder: string;
  readonly config: string;
  readonly tensors: readonly EncodedTensor[];
  readonly card: string;
}

/** `onProgress` counts tensors. */
export interface SaveOptions extends LongCallOptions {
  /** The adapters; all if not given. */
  readonly adapterNames?: readonly string[];
}

/** The files of a model's adapters one adapter after the other, whose values are computed on the way. @throws CancelledError; CapabilityError kind `not-peft` */
export async function* adapterFiles(
  peft: PeftModel<never, unknown>,
  { adapterNames = peft.adapterNames, signal, onProgress }: SaveOptions = {},
): AsyncGenerator<AdapterFiles> {
  for (const name of adapterNames) assertPeft(name, peft.state(name));
  const states = adapterNames.flatMap((name) => {
    const [state, folder] = [onOriginalBase(peft.state(name)), name === "default" ? "" : name];
    const experts = [...expertsOf(state)].map(([expert, own]) => [folder === "" ? expert : `${folder}/${expert}`, own] as const);
    return [[folder, { ...state, config: savedConfig(state) }] as const, ...experts].map(([at, own]) => [at, own, stateDict(own)] as const);
  });
  const folders = states.map(([folder]) => folder);
  const twice = folders.find((folder, i) => folders.indexOf(folder) < i);
  if (twice !== undefined)
    throw new ConfigError(`two adapters would be written to ${twice}`, { hint: "save them in folders of their own" });
  const total = states.reduce((sum, [, , tensors]) => sum + tensors.size, 0);
  let done = 0;
  for (const [folder, state, dict] of states) {
    const tensors: EncodedTensor[] = [];
    for (const [key, tensor] of dict) {
      throwIfAborted(signal);
      const data = encode(await tensor.data(), tensor.dtype);
      tensors.push({ name: key, dtype: fromCoreDType(tensor.dtype), shape: tensor.shape, data });
      onProgress?.(++done, total);
    }
    yield { folder, config: configText(state), tensors, card: modelCard(state.config) };
  }
}

/** PEFT's config has one rank and alpha for all modules, and none of LyCORIS's methods. @throws CapabilityError kind `not-peft` */
function assertPeft(name: string, { dialect, config }: AdapterState): void {
  if ((config.values as { readonly arrowConfig?: unknown }).arrowConfig)
    throw new CapabilityError(`${name} routes between other adapters (Arrow): it has no tensors of its own to save`, {
      kind: "not-peft",
      hint: "name the adapters to save in adapterNames, and add the router again after loading them",
    });
  if (dialect === undefined) return;
  throw new CapabilityError(`${name} is an adapter of ${dialect}'s kind (${config.peftType}), which PEFT's folders do not hold as it is`, {
    kind: "not-peft",
    hint: "weft convert makes PEFT's of its file where there is a form for it",
  });
}

/**
 * A model's adapters as the files that PEFT reads, for pages, which have no folders: offer them as downloads, zip them, upload them.
 * @returns by path: `adapter_config.json`, `adapter_model.safetensors` and `README.md`, in a folder of its name for an adapter that is not called `default`
 * @throws CancelledError
 */
export async function saveFiles(peft: PeftModel<never, unknown>, options: SaveOptions = {}): Promise<Map<string, Blob>> {
  const files = new Map<string, Blob>();
  for await (const { folder, config, tensors, card } of adapterFiles(peft, options)) {
    const at = folder === "" ? "" : `${folder}/`;
    const { header, tensors: placed } = layoutFile(tensors, new Map([["format", "pt"]]));
    const data = new Map(tensors.map((tensor) => [tensor.name, tensor.data]));
    files.set(`${at}adapter_config.json`, new Blob([config], { type: "application/json" }));
    files.set(`${at}adapter_model.safetensors`, new Blob([header, ...placed.map(({ name }) => data.get(name)!)] as BlobPart[]));
    files.set(`${at}README.md`, new Blob([card], { type: "text/markdown" }));
  }
  return files;
}
