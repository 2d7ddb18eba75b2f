import { layoutFile, type TensorEntry } from "../encode-header.js";
import { indexText, planShards } from "../shards.js";
import { FormatError } from "@weft/tensor-core";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AtomicFile, removeStale, writeFileAtomic } from "./atomic-file.js";
import { ioError } from "./file-bytes.js";

/** A tensor with its data: at once, or in pieces as they come. */
export interface TensorData extends TensorEntry {
  readonly data: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface WriteOptions {
  readonly metadata?: ReadonlyMap<string, string>;
  /** "5GB" if not given. */
  readonly maxShardSize?: string | number;
  readonly signal?: AbortSignal;
}

/** Writes one safetensors file, atomically. @throws FormatError if a tensor's data is not as long as its shape says */
export async function writeSafetensorsFile(path: string, tensors: Iterable<TensorData>, options: WriteOptions = {}): Promise<void> {
  const list = new Map([...tensors].map((t) => [t.name, t]));
  const layout = layoutFile(list.values(), options.metadata ?? new Map([["format", "pt"]]));
  const file = new AtomicFile(path, layout.size);
  try {
    file.writeAt(layout.header, 0);
    for (const { name, bytes, offset } of layout.tensors) {
      const { data } = list.get(name)!;
      let done = 0;
      for await (const piece of data instanceof Uint8Array ? [data] : data) {
        options.signal?.throwIfAborted();
        if (done + piece.byteLength > bytes)
          throw new FormatError(`tensor ${JSON.stringify(name)}: its data is longer than ${bytes} bytes`, {
            kind: "size-mismatch",
            tensor: name,
          });
        file.writeAt(piece, offset + done);
        done += piece.byteLength;
      }
      if (done !== bytes)
        throw new FormatError(`tensor ${JSON.stringify(name)}: its data is ${done} bytes, expected ${bytes}`, {
          kind: "size-mismatch",
          tensor: name,
        });
    }
    await file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
}

/** Writes a checkpoint folder: `model.safetensors`, or shards and their index, which comes last. */
export async function writeSafetensors(folder: string, tensors: Iterable<TensorData>, options: WriteOptions = {}): Promise<void> {
  const list = new Map([...tensors].map((t) => [t.name, t]));
  const shards = planShards(list.values(), options.maxShardSize);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw ioError(error, folder, "write");
  }
  removeStale(folder);
  for (const [file, entries] of shards)
    await writeSafetensorsFile(
      join(folder, file),
      entries.map(({ name }) => list.get(name)!),
      options,
    );
  if (shards.size > 1) await writeFileAtomic(join(folder, "model.safetensors.index.json"), indexText(shards));
}
