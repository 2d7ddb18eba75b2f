import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { CancelledError, ConfigError } from "@weft/tensor-core";
import { tensorBytes } from "@weft/io-safetensors";
import { writeFileAtomic, writeSafetensorsFile } from "@weft/io-safetensors/node";
import type { ConvertedFile } from "@weft/convert";
import { kohyaHashes } from "@weft/convert/node";
import type { OnProgress } from "../job-progress.js";
import { existsError, inputError } from "./check-output.js";
import { StagedFiles } from "./staged-files.js";

/** A file and where it goes. */
export interface Place {
  readonly file: ConvertedFile;
  readonly path: string;
}

/** Files with a config go into a folder; one that stands alone may be named by `out` itself. @throws ConfigError kind `not-a-folder` */
export function placesOf(files: readonly ConvertedFile[], out: string): Place[] {
  const alone = files.length === 1 && files[0]!.config === undefined;
  if (out.endsWith(".safetensors")) {
    if (!alone)
      throw new ConfigError(`${out}: this dialect needs a folder`, {
        kind: "not-a-folder",
        file: out,
        hint: "name a folder: its config lies beside the tensors",
      });
    return [{ file: files[0]!, path: out }];
  }
  return files.map((file) => ({ file, path: join(out, file.path) }));
}

/** The paths that are written for a file: it, and the config beside it. */
const pathsOf = ({ file, path }: Place): string[] => [
  path,
  ...(file.config === undefined ? [] : [join(dirname(path), "adapter_config.json")]),
];

/** @throws ConfigError kind `output-is-input`, and `exists` for what is not to be replaced */
export function refuseOverwriting(places: readonly Place[], inputs: readonly string[], force: boolean): void {
  const real = new Map(inputs.filter((file) => existsSync(file)).map((file) => [realpathSync(file), file]));
  for (const path of places.flatMap(pathsOf)) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) continue;
    const input = real.get(realpathSync(path));
    if (input !== undefined) throw inputError(path, input);
    if (!force || !stat.isFile()) throw existsError(path);
  }
}

/** What writing is stopped by, and what is told how far it is. */
export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Writes files with their configs, has them checked, and only then gives them their names, so that older ones stay if anything fails or stops.
 * @param out the file or folder that the caller named
 * @param check what it throws, the files are not worth
 */
export async function writePlaces<T>(
  places: readonly Place[],
  out: string,
  options: WriteOptions,
  check: (written: readonly Place[]) => Promise<T>,
): Promise<T> {
  const folder = out.endsWith(".safetensors") ? dirname(resolve(out)) : out;
  const staged = new StagedFiles(folder);
  try {
    const written = places.map(({ file, path }) => ({ file, path: join(staged.path, relative(folder, path)) }));
    for (const place of written) await writeConverted(place, options);
    const checked = await check(written);
    if (options.signal?.aborted) throw new CancelledError();
    staged.publish(places.flatMap(pathsOf).map((path) => relative(folder, path)));
    return checked;
  } catch (error) {
    staged.discard();
    throw staged.named(error);
  }
}

/** Bytes of the tensors of a file. */
export const bytesOf = ({ tensors }: ConvertedFile): number =>
  [...tensors].reduce((sum, [name, { dtype, shape }]) => sum + tensorBytes({ name, dtype, shape }), 0);

/** Writes a file with its config and, where the dialect has them, hashes. */
async function writeConverted(place: Place, { signal, onProgress }: WriteOptions): Promise<void> {
  const { file, path } = place;
  mkdirSync(dirname(path), { recursive: true });
  const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const read = (name: string): Promise<Uint8Array> => {
    if (signal?.aborted) throw new CancelledError();
    return file.tensors.get(name)!.read();
  };
  const metadata = new Map(file.metadata);
  if (file.hashed) for (const [key, hash] of Object.entries(await kohyaHashes(entries, metadata, read))) metadata.set(key, hash as string);
  const [phase, total] = [`write ${basename(path)}`, bytesOf(file)];
  let done = 0;
  async function* data(name: string): AsyncIterable<Uint8Array> {
    const bytes = await read(name);
    done += bytes.byteLength;
    onProgress?.({ phase, done, total, item: name });
    yield bytes;
  }
  await writeSafetensorsFile(
    path,
    entries.map((entry) => ({ ...entry, data: data(entry.name) })),
    { metadata },
  );
  for (const config of pathsOf(place).slice(1)) await writeFileAtomic(config, file.config!);
}
