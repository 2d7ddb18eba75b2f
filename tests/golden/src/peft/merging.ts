import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { mergeCheckpoint } from "@weft/checkpoint/node";
import { fromCoreDType } from "@weft/io-safetensors";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { ADAPTER_METHODS } from "@weft/methods";
import { CapabilityError, encode, referenceDevice, type Tensor } from "@weft/tensor-core";
import type { Comparison } from "../case.js";
import { withFolder } from "../folder.js";
import { readTensors } from "./files.js";
import type { Peft, Subject } from "./subject.js";

type Weights = ReadonlyMap<string, Tensor>;

/** A tensor's bytes, by which two of them are compared bit for bit. */
export const bytesOf = async (t: Tensor): Promise<Uint8Array> => encode(await t.data(), t.dtype);

/** What merging is to give. */
export interface Merged {
  /** The weights that it changes; all others are to stay, bit for bit. */
  readonly weights: Weights;
  /** The output with them. */
  readonly output?: Tensor;
}

async function checkWeights(check: Comparison, what: string, merged: Weights, { weights }: Merged, before: Weights): Promise<void> {
  check.exact(`${what}: weights`, [...merged.keys()].toSorted(), [...new Set([...before.keys(), ...weights.keys()])].toSorted());
  for (const [name, value] of merged) {
    const want = weights.get(name);
    if (want) {
      check.exact(`${what}: dtype of ${name}`, value.dtype, want.dtype);
      await check.tensors(`${what}: ${name}`, value, want);
    } else check.bytes(`${what}: ${name} unchanged`, await bytesOf(value), await bytesOf(before.get(name)!));
  }
}

/** Merges the active adapters of a model into its weights, runs it with them, and puts the weights back. */
export async function checkMerge(check: Comparison, subject: Subject, peft: Peft, expected: Merged, safeMerge = false): Promise<void> {
  const what = safeMerge ? "merged safely" : "merged";
  const before = await bytesOf(subject.run(peft));
  peft.mergeAdapter({ safeMerge });
  check.exact("merged adapters", peft.mergedAdapters, peft.activeAdapters);
  const unloaded = peft.mergeAndUnload();
  await checkWeights(check, what, unloaded.weights, expected, subject.model.weights);
  if (expected.output) {
    const output = subject.run(peft);
    await check.tensors(`y_${what}`, output, expected.output);
    check.bytes(`y_${what} of the plain model`, await bytesOf(subject.run(unloaded)), await bytesOf(output));
  }
  peft.unmergeAdapter();
  check.exact("merged adapters after unmerging", peft.mergedAdapters, []);
  check.bytes("y_adapter after unmerging", await bytesOf(subject.run(peft)), before);
}

/** What is merged into a checkpoint, and how. */
export interface CheckpointMerge {
  readonly adapters: readonly { readonly path: string; readonly scale?: number }[];
  readonly autocastAdapterDtype?: boolean;
  readonly safeMerge?: boolean;
}

/** Weights by name as a checkpoint folder. */
async function writeCheckpoint(folder: string, weights: Weights): Promise<string> {
  await mkdir(folder);
  const entries = [...weights].map(async ([name, t]) => ({
    name,
    dtype: fromCoreDType(t.dtype),
    shape: t.shape,
    data: await bytesOf(t),
  }));
  await writeSafetensorsFile(join(folder, "model.safetensors"), await Promise.all(entries));
  return folder;
}

/** Merges adapters into a checkpoint's files. @returns the weights of the result */
export const mergedCheckpoint = (subject: Pick<Subject, "model" | "checkpoint">, merge: CheckpointMerge): Promise<Map<string, Tensor>> =>
  withFolder(async (folder) => {
    const base = subject.checkpoint ?? (await writeCheckpoint(join(folder, "base"), subject.model.weights));
    const out = join(folder, "merged");
    await mergeCheckpoint({ base, out, methods: ADAPTER_METHODS, jobs: 1, ...merge });
    return readTensors(out, referenceDevice());
  });

/** Merges adapters into the model's checkpoint, and reads what was written. */
export async function checkCheckpointMerge(check: Comparison, subject: Subject, merge: CheckpointMerge, expected: Merged): Promise<void> {
  const what = merge.safeMerge ? "checkpoint merged safely" : "checkpoint";
  await checkWeights(check, what, await mergedCheckpoint(subject, merge), expected, subject.model.weights);
}

/** Merging is refused as beyond what the method can do, into a model's weights and into its checkpoint. */
export async function checkRefused(check: Comparison, subject: Subject, peft: Peft, merge: CheckpointMerge): Promise<void> {
  check.exact("merging is refused", await refuses(() => peft.mergeAdapter()), true);
  check.exact("merged adapters", peft.mergedAdapters, []);
  check.exact("merging and unloading is refused", await refuses(() => peft.mergeAndUnload()), true);
  check.exact("merging into the checkpoint is refused", await refuses(() => mergedCheckpoint(subject, merge)), true);
}

/** Whether something is beyond what a method can do. */
export async function refuses(run: () => unknown): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    if (error instanceof CapabilityError) return true;
    throw error;
  }
}
