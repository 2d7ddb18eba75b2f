import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { readTensor } from "@weft/adapter-files";
import { hashFile, openWeights, readSmallFile } from "@weft/io-safetensors/node";
import { type Device, FormatError, IoError, type Tensor } from "@weft/tensor-core";
import { AVERAGE, FILES, METHOD, PARAMETER } from "../checkpoints/files.js";
import { numberOf, readJson, readTrainerState } from "../checkpoints/trainer-state.js";
import type { LossScaleState } from "../train/loss-scale.js";
import type { RecordedSettings } from "../train/recorded-settings.js";
import type { Resume } from "../train/training-options.js";
import { checkpointSteps } from "./save-checkpoint.js";

/** A checkpoint that was opened. */
export interface OpenedCheckpoint {
  /** Its folder, which is that of the adapter, too. */
  readonly folder: string;
  /** For the option `resume` of `train`. */
  readonly resume: Resume & Pick<Required<Resume>, "method">;
  /** What it does not hold, in words. */
  readonly notes: readonly string[];
}

const fileOf = (folder: string, name: string): Uint8Array => readSmallFile(join(folder, name));

/** @throws FormatError kind `bad-checkpoint` unless all files are those that `done.json` lists */
async function assertWhole(folder: string): Promise<void> {
  const { files } = readJson(fileOf(folder, FILES.done), join(folder, FILES.done));
  if (typeof files !== "object" || files === null)
    throw new FormatError(`${join(folder, FILES.done)}: files is missing`, { kind: "bad-checkpoint" });
  for (const [name, listed] of Object.entries(
    files as { readonly [name: string]: { readonly size?: unknown; readonly sha256?: unknown } },
  )) {
    const path = join(folder, name);
    const bad = (what: string): FormatError =>
      new FormatError(`${path}: ${what}`, { kind: "bad-checkpoint", file: path, hint: "take an older checkpoint" });
    if (name.split("/").includes("..") || name.startsWith("/")) throw bad("leaves the folder of the checkpoint");
    if (!existsSync(path)) throw bad("is not there");
    if (statSync(path).size !== listed.size) throw bad(`has ${statSync(path).size} bytes, was written with ${String(listed.size)}`);
    if ((await hashFile(path)) !== listed.sha256) throw bad("is not as it was written");
  }
}

/** The scale of the loss that a file tells. */
function scaleOf({ lossScale }: { readonly [field: string]: unknown }, file: string): LossScaleState | null {
  if (lossScale === null || typeof lossScale !== "object") return null;
  const json = lossScale as { readonly [field: string]: unknown };
  return { value: numberOf(json, "value", file), goodSteps: numberOf(json, "goodSteps", file) };
}

/** The settings that a file tells; those of before they were recorded tell none. */
const settingsIn = ({ settings }: { readonly [field: string]: unknown }): RecordedSettings | undefined =>
  typeof settings === "object" && settings !== null && !Array.isArray(settings) ? (settings as RecordedSettings) : undefined;

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

type Tensors = { readonly [part in "optimizer" | "parameters" | "ema" | "method"]: Map<string, Tensor> };
const noTensors = (): Tensors => ({ optimizer: new Map(), parameters: new Map(), ema: new Map(), method: new Map() });

/** The tensors of `optimizer.safetensors` by what they are of. */
async function tensorsOf(path: string, device: Device | undefined): Promise<Tensors> {
  const found = noTensors();
  const kinds = [
    [PARAMETER, found.parameters],
    [AVERAGE, found.ema],
    [METHOD, found.method],
    ["", found.optimizer],
  ] as const;
  const source = await openWeights(path);
  try {
    for (const name of source.names()) {
      const tensor = await readTensor(source, name, device ? { device } : {});
      const [prefix, tensors] = kinds.find(([begin]) => name.startsWith(begin))!;
      tensors.set(name.slice(prefix.length), tensor);
    }
  } finally {
    await source.close();
  }
  return found;
}

/**
 * Opens a checkpoint, or the last one of a folder of them. Those of `saveCheckpoint` are checked against their hashes, and go on bit for bit on the same backend. Those of
 * HF's Trainer open, too: their optimiser is a pickle, which is not read, so moments begin anew, at the beginning of the epoch.
 * @param device where tensors of the optimiser lie
 * @throws FormatError kind `bad-checkpoint` for one that is not whole; IoError
 */
export async function openCheckpoint(path: string, { device }: { readonly device?: Device } = {}): Promise<OpenedCheckpoint> {
  const folder = folderOf(path);
  const file = join(folder, FILES.trainer);
  const { epochs, ...position } = readTrainerState(readJson(fileOf(folder, FILES.trainer), file), file);
  if (!existsSync(join(folder, FILES.weft))) {
    const notes = [
      `${basename(folder)}: the optimiser's state is a pickle (optimizer.pt), which is not read: moments begin anew`,
      ...(Number.isInteger(epochs) ? [] : [`${basename(folder)}: it stands within an epoch (${epochs}): the epoch begins anew`]),
    ];
    return { folder, resume: { position, ...noTensors() }, notes };
  }
  await assertWhole(folder);
  const own = join(folder, FILES.weft);
  const json = readJson(fileOf(folder, FILES.weft), own);
  if (json["version"] !== 1)
    throw new FormatError(`${own}: version is ${String(json["version"])}, expected 1`, { kind: "bad-checkpoint", file: own });
  const [epoch, batchesInEpoch, sinceBest] = ["epoch", "batchesInEpoch", "sinceBest"].map((field) => numberOf(json, field, own)) as [
    number,
    number,
    number,
  ];
  const tensors = await tensorsOf(join(folder, FILES.optimizer), device);
  return {
    folder,
    resume: {
      position: { ...position, epoch, batchesInEpoch, sinceBest, lossScale: scaleOf(json, own) },
      ...tensors,
      recorded: settingsIn(json),
    },
    notes: [],
  };
}
