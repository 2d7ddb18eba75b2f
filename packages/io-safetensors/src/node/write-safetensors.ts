import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { CancelledError, FormatError } from "@weft/tensor-core";
import { byName, layoutFile, type TensorEntry } from "../encode-header.js";
import { show } from "../format-error.js";
import { indexText, planShards } from "../shards.js";
import { AtomicFile, removeStale, writeFileAtomic } from "./atomic-file.js";
import { ioError } from "./file-bytes.js";
import { hashFile, Journal } from "./journal.js";

/** A tensor with its data: at once, or in pieces as they come. */
export interface TensorData extends TensorEntry {
  readonly data: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
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
  const file = new AtomicFile(path, layout.size);
  try {
    file.writeAt(layout.header, 0);
    for (const { name, bytes, offset } of layout.tensors) {
      const { data } = given.get(name)!;
      const mismatch = (got: string): FormatError =>
        new FormatError(`tensor ${show(name)}: its data is ${got}, expected ${bytes} bytes`, { kind: "size-mismatch", tensor: name });
      let done = 0;
      for await (const piece of data instanceof Uint8Array ? [data] : data) {
        if (options.signal?.aborted) throw new CancelledError();
        if (done + piece.byteLength > bytes) throw mismatch("longer");
        file.writeAt(piece, offset + done);
        done += piece.byteLength;
      }
      if (done !== bytes) throw mismatch(`${done} bytes`);
    }
    if (options.signal?.aborted) throw new CancelledError();
    await file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
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
