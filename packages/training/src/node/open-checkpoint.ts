import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { hashFile, openWeights, readSmallFile } from "@weft/io-safetensors/node";
import { type Device, IoError } from "@weft/tensor-core";
import { FILES } from "../checkpoints/files.js";
import { type CheckpointSource, readCheckpoint, type ReadCheckpoint } from "../checkpoints/read-checkpoint.js";
import { checkpointSteps } from "./save-checkpoint.js";

/** A checkpoint that was opened. */
export interface OpenedCheckpoint extends ReadCheckpoint {
  /** Its folder, which is that of the adapter, too. */
  readonly folder: string;
}

/** The folder itself, or its last checkpoint. @throws IoError kind `not-found` */
function folderOf(path: string): string {
  if (existsSync(join(path, FILES.trainer))) return path;
  const last = checkpointSteps(path).at(-1);
  if (last === undefined)
    throw new IoError(`${path}: there is no checkpoint`, {
      kind: "not-found",
      file: path,
      hint: "a folder with trainer_state.json, or one of checkpoint-N",
    });
  return join(path, `checkpoint-${last}`);
}

/**
 * Opens a checkpoint, or the last one of a folder of them. Those of `saveCheckpoint` are checked against their hashes, and go on bit for bit on the same backend. Those of
 * HF's Trainer open, too: their optimiser is a pickle, which is not read, so moments begin anew, at the beginning of the epoch.
 * @param device where tensors of the optimiser lie
 * @throws FormatError kind `bad-checkpoint` for one that is not whole; IoError
 */
export async function openCheckpoint(path: string, { device }: { readonly device?: Device } = {}): Promise<OpenedCheckpoint> {
  const folder = folderOf(path);
  const pathOf = (file: string): string => join(folder, file);
  const source: CheckpointSource = {
    name: basename(folder),
    pathOf,
    has: (file) => existsSync(pathOf(file)),
    bytes: async (file) => readSmallFile(pathOf(file)),
    size: (file) => statSync(pathOf(file)).size,
    sha256: (file) => hashFile(pathOf(file)),
    weights: (file) => openWeights(pathOf(file)),
  };
  return { folder, ...(await readCheckpoint(source, device)) };
}
