import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  hashFile,
  ioError,
  removeStale,
  syncFolder,
  temporaryPath,
  writeFileAtomic,
  writeSafetensorsFile,
} from "@weft/io-safetensors/node";
import { PeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { doneText, type ListedFile, optimizerMetadata, optimizerTensors, weftState } from "../checkpoints/contents.js";
import { FILES } from "../checkpoints/files.js";
import { trainerState } from "../checkpoints/trainer-state.js";
import type { Snapshot } from "../train/training-options.js";

/** How many checkpoints are kept. */
export interface CheckpointOptions {
  /** The last so many, and that of the best evaluation; all if not given. */
  readonly saveTotalLimit?: number;
  /** Rows of a batch, for `trainer_state.json`; 1 if not given. */
  readonly trainBatchSize?: number;
}

const NAME = /^checkpoint-(\d+)$/;

/** Steps of the whole checkpoints in a folder, ascending. */
export function checkpointSteps(outputDir: string): number[] {
  if (!existsSync(outputDir)) return [];
  const steps = readdirSync(outputDir)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number);
  return steps.filter((step) => existsSync(join(outputDir, `checkpoint-${step}`, FILES.done))).toSorted((a, b) => a - b);
}

/** Writes the files of a checkpoint into an empty folder, `done.json` last. */
async function fill(folder: string, snapshot: Snapshot, batchSize: number): Promise<void> {
  const { trainee } = snapshot;
  if (trainee instanceof PeftModel) await savePretrained(trainee, folder, { adapterNames: [trainee.activeAdapters[0]!] });
  const metadata = optimizerMetadata(snapshot);
  await writeSafetensorsFile(join(folder, FILES.optimizer), await optimizerTensors(snapshot), { metadata });
  await writeFileAtomic(join(folder, FILES.trainer), trainerState(snapshot, batchSize));
  await writeFileAtomic(join(folder, FILES.weft), weftState(snapshot));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const listed: { [name: string]: ListedFile } = {};
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    listed[path.slice(folder.length + 1).replaceAll("\\", "/")] = { size: statSync(path).size, sha256: await hashFile(path) };
  }
  await writeFileAtomic(join(folder, FILES.done), doneText(listed));
  syncFolder(folder);
}

/** Removes whole checkpoints but for the last ones and the best. */
function rotate(outputDir: string, limit: number, best: number | null): void {
  const steps = checkpointSteps(outputDir);
  for (const step of steps.slice(0, Math.max(0, steps.length - limit)))
    if (step !== best) rmSync(join(outputDir, `checkpoint-${step}`), { recursive: true });
}

/**
 * Writes `checkpoint-<step>` as HF's Trainer lays it out, with the optimiser in safetensors: everything into a folder aside, made permanent, then renamed, so that under its
 * name a checkpoint is whole or not there, whenever the process ends. One of the same step is replaced.
 * @returns its path
 * @throws IoError; CapabilityError kind `not-peft`
 */
export async function saveCheckpoint(
  outputDir: string,
  snapshot: Snapshot,
  { saveTotalLimit, trainBatchSize = 1 }: CheckpointOptions = {},
): Promise<string> {
  const path = join(outputDir, `checkpoint-${snapshot.position.step}`);
  const aside = temporaryPath(path);
  try {
    mkdirSync(outputDir, { recursive: true });
    removeStale(outputDir);
    mkdirSync(aside);
    await fill(aside, snapshot, trainBatchSize);
    const old = existsSync(path) ? temporaryPath(path) : undefined;
    if (old !== undefined) renameSync(path, old);
    renameSync(aside, path);
    syncFolder(outputDir);
    if (old !== undefined) rmSync(old, { recursive: true });
    if (saveTotalLimit !== undefined) rotate(outputDir, saveTotalLimit, snapshot.position.bestStep);
    return path;
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error instanceof Error && "code" in error && "syscall" in error ? ioError(error, path, "write") : error;
  }
}

/** For the option `save` of `train`: `train(peft, data, { save: saveTo("runs/a", { saveTotalLimit: 2 }), saveSteps: 50 })`. */
export const saveTo = (outputDir: string, options: CheckpointOptions = {}): ((snapshot: Snapshot) => Promise<string>) => {
  return (snapshot) => saveCheckpoint(outputDir, snapshot, options);
};
