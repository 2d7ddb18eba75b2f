import { layoutFile } from "@weft/io-safetensors";
import { PeftModel, saveFiles } from "@weft/registry";
import type { Snapshot } from "../train/training-options.js";
import { doneText, type ListedFile, optimizerMetadata, optimizerTensors, weftState } from "./contents.js";
import { FILES } from "./files.js";
import { trainerState } from "./trainer-state.js";

/** SHA-256 of a Blob, in hexadecimal. */
export async function sha256(blob: Blob): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The files of a checkpoint for pages, which have no folders: those that `saveCheckpoint` writes, byte for byte. `done.json` is the last, and is to be stored last: with it a checkpoint
 * is whole.
 * @param options `trainBatchSize`: rows of a batch, for `trainer_state.json`
 * @returns by name
 * @throws CapabilityError kind `not-peft`
 */
export async function checkpointFiles(
  snapshot: Snapshot,
  { trainBatchSize = 1 }: { readonly trainBatchSize?: number } = {},
): Promise<Map<string, Blob>> {
  const { trainee } = snapshot;
  const files =
    trainee instanceof PeftModel ? await saveFiles(trainee, { adapterNames: [trainee.activeAdapters[0]!] }) : new Map<string, Blob>();
  const tensors = await optimizerTensors(snapshot);
  const data = new Map(tensors.map((tensor) => [tensor.name, tensor.data]));
  const { header, tensors: placed } = layoutFile(tensors, optimizerMetadata(snapshot));
  files.set(FILES.optimizer, new Blob([header, ...placed.map(({ name }) => data.get(name)!)] as BlobPart[]));
  files.set(FILES.trainer, new Blob([trainerState(snapshot, trainBatchSize)]));
  files.set(FILES.weft, new Blob([weftState(snapshot)]));
  const listed: { [name: string]: ListedFile } = {};
  for (const [name, blob] of files) listed[name] = { size: blob.size, sha256: await sha256(blob) };
  files.set(FILES.done, new Blob([doneText(listed)]));
  return files;
}
