import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { byName, layoutFile, type TensorEntry } from "../encode-header.js";
import { indexText, planShards } from "../shards.js";
import { removeStale, writeFileAtomic } from "./atomic-file.js";
import { ioError } from "./file-bytes.js";
import { hashFile, Journal } from "./journal.js";
import { type PieceOfFile, writeLaidOut } from "./write-laid-out.js";

/** A tensor with its data: at once, or in pieces as they come. */
export interface TensorData extends TensorEntry {
  readonly data: PieceOfFile;
}

/** The metadata of a file, and the signal that stops its writing. */
export interface WriteFileOptions {
  /** `format: pt` if not given, which transformers asks for. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly signal?: AbortSignal;
}

/** Into how many files a checkpoint is written, and what goes with them. */
export interface WriteOptions extends WriteFileOptions {
  /** "5GB" if not given. */
  readonly maxShardSize?: string | number;
  /**
   * A hash of everything that the output depends on: inputs, options, version. With it, a call that was stopped goes on after the last
   * complete file when it is made again; data of tensors in complete files is not asked for.
   */
  readonly job?: string;
}

/** Names under which a checkpoint is found, and of its parts. */
const INDEX = "model.safetensors.index.json";
const PART = /^model(-\d{5}-of-\d{5})?\.safetensors$/;

/**
 * Writes one safetensors file; it appears under its name only when it is complete.
 * @throws FormatError as `layoutFile`, and kind `size-mismatch` if a tensor's data is not as long as its shape says; IoError; CancelledError
 */
export async function writeSafetensorsFile(path: string, tensors: Iterable<TensorData>, options: WriteFileOptions = {}): Promise<void> {
  const given = byName(tensors);
  const layout = layoutFile(given.values(), options.metadata ?? new Map([["format", "pt"]]));
  await writeLaidOut(path, layout, (name) => given.get(name)!.data, options.signal);
}

/**
 * Writes a checkpoint folder: `model.safetensors`, or shards and then their index. A checkpoint that lies there is replaced; no
 * mixture of the two ever opens, and leftovers of it are removed.
 * @throws as `writeSafetensorsFile`; ConfigError kind `other-job` if a job other than `options.job` was stopped here
 */
export async function writeSafetensors(folder: string, tensors: Iterable<TensorData>, options: WriteOptions = {}): Promise<void> {
  const given = byName(tensors);
  const shards = planShards(given.values(), options.maxShardSize);
  try {
    mkdirSync(folder, { recursive: true });
    removeStale(folder);
    // First to go: with it, the old files would be read as a whole while they are replaced.
    rmSync(join(folder, INDEX), { force: true });
  } catch (error) {
    throw ioError(error, folder, "write");
  }
  const journal = options.job === undefined ? undefined : new Journal(folder, options.job);
  for (const [file, entries] of shards) {
    if (await journal?.isFinished(file)) continue;
    const path = join(folder, file);
    await writeSafetensorsFile(
      path,
      entries.map(({ name }) => given.get(name)!),
      options,
    );
    journal?.add({ file, size: statSync(path).size, sha256: await hashFile(path) });
  }
  for (const name of readdirSync(folder)) if (PART.test(name) && !shards.has(name)) rmSync(join(folder, name));
  if (shards.size > 1) await writeFileAtomic(join(folder, INDEX), indexText(shards));
  journal?.remove();
}
