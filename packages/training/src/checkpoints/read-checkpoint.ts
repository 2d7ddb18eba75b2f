import { readTensor } from "@weft/adapter-files";
import { openSafetensors, type WeightSource } from "@weft/io-safetensors";
import { type Device, FormatError, type Tensor } from "@weft/tensor-core";
import type { LossScaleState } from "../train/loss-scale.js";
import type { RecordedSettings } from "../train/recorded-settings.js";
import type { Resume } from "../train/training-options.js";
import { sha256 } from "./checkpoint-files.js";
import { AVERAGE, FILES, METHOD, PARAMETER } from "./files.js";
import { numberOf, readJson, readTrainerState } from "./trainer-state.js";

/** Where a training goes on from, and what its checkpoint does not hold, in words. */
export interface ReadCheckpoint {
  /** For the option `resume` of `train`. */
  readonly resume: Resume & Pick<Required<Resume>, "method">;
  readonly notes: readonly string[];
}

/** The files of a checkpoint, wherever they lie. */
export interface CheckpointSource {
  /** The folder's name, and a file's, for errors. */
  readonly name: string;
  pathOf(file: string): string;
  has(file: string): boolean;
  bytes(file: string): Promise<Uint8Array>;
  size(file: string): number;
  sha256(file: string): Promise<string>;
  weights(file: string): Promise<WeightSource>;
}

/** @throws FormatError kind `bad-checkpoint` unless all files are those that `done.json` lists */
async function assertWhole(from: CheckpointSource): Promise<void> {
  const done = from.pathOf(FILES.done);
  const { files } = readJson(await from.bytes(FILES.done), done);
  if (typeof files !== "object" || files === null) throw new FormatError(`${done}: files is missing`, { kind: "bad-checkpoint" });
  for (const [name, listed] of Object.entries(
    files as { readonly [name: string]: { readonly size?: unknown; readonly sha256?: unknown } },
  )) {
    const path = from.pathOf(name);
    const bad = (what: string): FormatError =>
      new FormatError(`${path}: ${what}`, { kind: "bad-checkpoint", file: path, hint: "take an older checkpoint" });
    if (name.split("/").includes("..") || name.startsWith("/")) throw bad("leaves the folder of the checkpoint");
    if (!from.has(name)) throw bad("is not there");
    if (from.size(name) !== listed.size) throw bad(`has ${from.size(name)} bytes, was written with ${String(listed.size)}`);
    if ((await from.sha256(name)) !== listed.sha256) throw bad("is not as it was written");
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

type Tensors = { readonly [part in "optimizer" | "parameters" | "ema" | "method"]: Map<string, Tensor> };
const noTensors = (): Tensors => ({ optimizer: new Map(), parameters: new Map(), ema: new Map(), method: new Map() });

/** The tensors of `optimizer.safetensors` by what they are of. */
async function tensorsOf(source: WeightSource, device: Device | undefined): Promise<Tensors> {
  const found = noTensors();
  const kinds = [
    [PARAMETER, found.parameters],
    [AVERAGE, found.ema],
    [METHOD, found.method],
    ["", found.optimizer],
  ] as const;
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

/** Reads a checkpoint. @throws as `openCheckpoint` */
export async function readCheckpoint(from: CheckpointSource, device: Device | undefined): Promise<ReadCheckpoint> {
  const file = from.pathOf(FILES.trainer);
  const { epochs, ...position } = readTrainerState(readJson(await from.bytes(FILES.trainer), file), file);
  if (!from.has(FILES.weft)) {
    const notes = [
      `${from.name}: the optimiser's state is a pickle (optimizer.pt), which is not read: moments begin anew`,
      ...(Number.isInteger(epochs) ? [] : [`${from.name}: it stands within an epoch (${epochs}): the epoch begins anew`]),
    ];
    return { resume: { position, ...noTensors() }, notes };
  }
  await assertWhole(from);
  const own = from.pathOf(FILES.weft);
  const json = readJson(await from.bytes(FILES.weft), own);
  if (json["version"] !== 1)
    throw new FormatError(`${own}: version is ${String(json["version"])}, expected 1`, { kind: "bad-checkpoint", file: own });
  const [epoch, batchesInEpoch, sinceBest] = ["epoch", "batchesInEpoch", "sinceBest"].map((field) => numberOf(json, field, own)) as [
    number,
    number,
    number,
  ];
  const tensors = await tensorsOf(await from.weights(FILES.optimizer), device);
  return {
    resume: {
      position: { ...position, epoch, batchesInEpoch, sinceBest, lossScale: scaleOf(json, own) },
      ...tensors,
      recorded: settingsIn(json),
    },
    notes: [],
  };
}

/**
 * Reads the files of one checkpoint: those of `checkpointFiles` as a page has stored them, or of a folder that `saveCheckpoint` or HF's Trainer wrote.
 * @param files by name
 * @param options `device`: where tensors of the optimiser lie; `name`: what errors call the checkpoint
 * @throws FormatError kind `bad-checkpoint` for one that is not whole
 */
export function readCheckpointFiles(
  files: ReadonlyMap<string, Blob>,
  { device, name = "checkpoint" }: { readonly device?: Device; readonly name?: string } = {},
): Promise<ReadCheckpoint> {
  const pathOf = (file: string): string => `${name}/${file}`;
  const blob = (file: string): Blob => {
    const found = files.get(file);
    if (found) return found;
    throw new FormatError(`${pathOf(file)}: is not there`, {
      kind: "bad-checkpoint",
      file: pathOf(file),
      hint: "take an older checkpoint",
    });
  };
  const source: CheckpointSource = {
    name,
    pathOf,
    has: (file) => files.has(file),
    bytes: async (file) => new Uint8Array(await blob(file).arrayBuffer()),
    size: (file) => blob(file).size,
    sha256: (file) => sha256(blob(file)),
    weights: (file) => openSafetensors(blob(file)),
  };
  return readCheckpoint(source, device);
}
