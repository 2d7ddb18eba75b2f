import { fromCoreDType, type TensorEntry } from "@weft/io-safetensors";
import { encode, type Tensor } from "@weft/tensor-core";
import type { Snapshot } from "../train/training-options.js";
import { AVERAGE, METHOD, PARAMETER } from "./files.js";

/** A tensor as it is written. */
export interface EncodedTensor extends TensorEntry {
  readonly data: Uint8Array;
}

/** What `optimizer.safetensors` holds. */
export async function optimizerTensors(snapshot: Snapshot): Promise<EncodedTensor[]> {
  const kinds: readonly (readonly [string, ReadonlyMap<string, Tensor>])[] = [
    [PARAMETER, snapshot.parameters],
    [AVERAGE, snapshot.ema],
    [METHOD, snapshot.method],
    ["", snapshot.optimizer],
  ];
  const tensors: EncodedTensor[] = [];
  for (const [prefix, all] of kinds)
    for (const [name, t] of all)
      tensors.push({ name: prefix + name, dtype: fromCoreDType(t.dtype), shape: t.shape, data: encode(await t.data(), t.dtype) });
  return tensors;
}

/** Its metadata. */
export const optimizerMetadata = ({ position, settings }: Snapshot): ReadonlyMap<string, string> =>
  new Map(Object.entries({ format: "pt", step: `${position.step}`, optim: settings.optim, hyper: JSON.stringify(settings.hyper) }));

/** The text of `weft_state.json`. */
export function weftState({ position: { epoch, batchesInEpoch, sinceBest, lossScale }, recorded }: Snapshot): string {
  return `${JSON.stringify({ version: 1, epoch, batchesInEpoch, sinceBest, lossScale, settings: recorded }, null, 2)}\n`;
}

/** Size and SHA-256 of a file. */
export interface ListedFile {
  readonly size: number;
  readonly sha256: string;
}

/** The text of `done.json`. */
export const doneText = (files: { readonly [name: string]: ListedFile }): string => `${JSON.stringify({ files }, null, 2)}\n`;
