import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CancelledError } from "@weft/tensor-core";
import { tensorBytes } from "@weft/io-safetensors";
import { ioError, removeStale, writeFileAtomic, writeSafetensorsFile } from "@weft/io-safetensors/node";
import type { ConvertedFile } from "@weft/registry";
import { kohyaHashes } from "@weft/registry/node";
import type { Context } from "../context.js";
import { UsageError } from "../failure.js";
import { Progress } from "../progress.js";

/** A file and where it goes. */
export interface Place {
  readonly file: ConvertedFile;
  readonly path: string;
}

/** Files with a config go into a folder; one that stands alone may be named by `-o` itself. */
export function placesOf(files: readonly ConvertedFile[], out: string): Place[] {
  const alone = files.length === 1 && files[0]!.config === undefined;
  if (out.endsWith(".safetensors")) {
    if (!alone) throw new UsageError(`-o ${out}: this dialect needs a folder`, "name a folder: its config lies beside the tensors");
    return [{ file: files[0]!, path: out }];
  }
  return files.map((file) => ({ file, path: join(out, file.path) }));
}

/** The config that lies beside a file. */
export const configOf = ({ path }: Place): string => join(dirname(path), "adapter_config.json");

/** @throws UsageError if a file is an input, or exists and is not to be replaced */
export function refuseOverwriting(places: readonly Place[], inputs: readonly string[], force: boolean): void {
  const real = new Set(inputs.filter((file) => existsSync(file)).map((file) => realpathSync(file)));
  for (const place of places)
    for (const path of [place.path, ...(place.file.config === undefined ? [] : [configOf(place)])]) {
      if (!existsSync(path)) continue;
      if (real.has(realpathSync(path))) throw new UsageError(`-o ${path}: this is an input`, "choose another output");
      if (!force) throw new UsageError(`${path} exists already`, "choose another output, or pass --force");
    }
}

export const bytesOf = ({ tensors }: ConvertedFile): number =>
  [...tensors].reduce((sum, [name, { dtype, shape }]) => sum + tensorBytes({ name, dtype, shape }), 0);

/** Writes a file with its config and, where the dialect has them, hashes; each appears whole or not at all. */
export async function writeConverted(file: ConvertedFile, path: string, { out, signal }: Context): Promise<void> {
  const folder = dirname(resolve(path));
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw ioError(error, folder, "write");
  }
  removeStale(folder);
  const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const read = (name: string): Promise<Uint8Array> => {
    if (signal.aborted) throw new CancelledError();
    return file.tensors.get(name)!.read();
  };
  const metadata = new Map(file.metadata);
  if (file.hashed) for (const [key, hash] of Object.entries(await kohyaHashes(entries, metadata, read))) metadata.set(key, hash as string);
  const progress = new Progress(out, `write ${basename(path)}`, bytesOf(file));
  let done = 0;
  async function* data(name: string): AsyncIterable<Uint8Array> {
    const bytes = await read(name);
    progress.update((done += bytes.byteLength), name);
    yield bytes;
  }
  try {
    await writeSafetensorsFile(
      path,
      entries.map((entry) => ({ ...entry, data: data(entry.name) })),
      { metadata },
    );
    if (file.config !== undefined) await writeFileAtomic(join(folder, "adapter_config.json"), file.config);
  } finally {
    progress.end();
  }
}
