import { fromCoreDType, layoutFile, type TensorEntry } from "@weft/io-safetensors";
import { CapabilityError, encode, type LongCallOptions, throwIfAborted } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";
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
  /** Folder below the one that is written to; empty for the adapter called `default`, as in PEFT. */
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
  const states = adapterNames.map((name) => {
    const state = onOriginalBase(peft.state(name));
    return [name, state, stateDict(state)] as const;
  });
  const total = states.reduce((sum, [, , tensors]) => sum + tensors.size, 0);
  let done = 0;
  for (const [name, state, dict] of states) {
    const tensors: EncodedTensor[] = [];
    for (const [key, tensor] of dict) {
      throwIfAborted(signal);
      const data = encode(await tensor.data(), tensor.dtype);
      tensors.push({ name: key, dtype: fromCoreDType(tensor.dtype), shape: tensor.shape, data });
      onProgress?.(++done, total);
    }
    yield { folder: name === "default" ? "" : name, config: configText(state, peft.methods), tensors, card: modelCard(state.config) };
  }
}

/** PEFT's config has one rank and alpha for all modules, and none of LyCORIS's methods. @throws CapabilityError kind `not-peft` */
function assertPeft(name: string, { dialect, config }: AdapterState): void {
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
