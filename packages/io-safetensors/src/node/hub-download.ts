import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { FormatError, type LongCallOptions, throwIfAborted } from "@weft/tensor-core";
import { type HubOptions, parseHubDatasetFile, parseHubId } from "../hub.js";
import { MAX_INDEX_BYTES, parseShardIndex } from "../shard-index.js";
import { cachedSnapshot, hubCacheFolder, hubEnvironment, notCached, snapshotOf } from "./hub-cache.js";
import { type HubFile, fits, HubRepository } from "./hub-repository.js";

/** How a repository is fetched: see `HubOptions`; the cache is that of huggingface_hub unless given. */
export interface DownloadOptions extends HubOptions, Pick<LongCallOptions, "onProgress"> {
  readonly cache?: string;
  /** What the cache does not hold is an error; as `HF_HUB_OFFLINE` says if not given. */
  readonly offline?: boolean | undefined;
}

const [SINGLE, INDEX] = ["model.safetensors", "model.safetensors.index.json"];

/**
 * Fetches a model of the hub into the cache, in the layout of huggingface_hub, and says where it is: its safetensors files, and the files of `names` that the
 * repository has. What the cache holds already is not fetched again: a snapshot that is complete costs no request, and a download that was stopped goes on. Contents are checked by
 * their SHA-256, or git's SHA-1, which the hub tells. `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE` are heeded.
 * @param id `hf:user/repo[@revision]`
 * @param names files beside the weights: `config.json`
 * @returns the folder of the snapshot
 * @throws ConfigError kind `hub-id`; IoError kinds `http` (also for a content that its checksum does not fit), `no-permission`; FormatError kind `not-found`; CancelledError
 */
export async function downloadModel(id: string, names: readonly string[], options: DownloadOptions = {}): Promise<string> {
  const { offline, cache, onProgress, ...hub } = settingsOf(options);
  const known = cachedSnapshot(id, cache);
  if (known !== undefined && (offline || isComplete(known, names))) return known;
  if (offline) throw notCached(id, cache);
  const repository = new HubRepository(id, parseHubId(id), cache, hub);
  const first = await Promise.all([...names, SINGLE].map((name) => repository.describe(name)));
  const single = first.pop();
  const index = single ? undefined : await repository.describe(INDEX);
  if (!single && !index)
    throw new FormatError(`${id}: the repository has no ${SINGLE}, nor an index of its parts`, { kind: "not-found", file: id });
  const side = [...first, index].filter((file) => file !== undefined);
  for (const file of side) await repository.fetch(file);
  const shards = index ? shardsOf(join(repository.snapshot, INDEX)) : [];
  const weights = single ? [single] : await Promise.all(shards.map((name) => repository.shard(name)));
  const total = weights.reduce((sum, { source }) => sum + source.size, 0);
  await fetchAll(repository, weights, total, onProgress);
  return repository.snapshot;
}

/** Brings files into the cache one after the other, and remembers the commit. */
async function fetchAll(
  repository: HubRepository,
  files: readonly HubFile[],
  total: number,
  onProgress: DownloadOptions["onProgress"],
): Promise<void> {
  let done = 0;
  for (const file of files) {
    await repository.fetch(file, (bytes) => onProgress?.(done + bytes, total));
    done += file.source.size;
  }
  await repository.remember();
}

/**
 * Fetches files of a repository of the hub by their names, as {@link downloadModel} does those of a model: an adapter, a GGUF file.
 * @param names every one of which the repository must have
 * @returns the folder of the snapshot
 * @throws as {@link downloadModel}
 */
export async function downloadFiles(id: string, names: readonly string[], options: DownloadOptions = {}): Promise<string> {
  const { offline, cache, onProgress, ...hub } = settingsOf(options);
  const known = cachedSnapshot(id, cache);
  if (known !== undefined && names.every((name) => existsSync(join(known, name)))) return known;
  if (offline) throw notCached(id, cache);
  const repository = new HubRepository(id, parseHubId(id), cache, hub);
  const files: HubFile[] = [];
  for (const name of names) {
    const file = await repository.describe(name);
    if (!file) throw new FormatError(`${id}: the repository has no ${name}`, { kind: "not-found", file: id });
    files.push(file);
  }
  const total = files.reduce((sum, { source }) => sum + source.size, 0);
  await fetchAll(repository, files, total, onProgress);
  return repository.snapshot;
}

/**
 * Fetches a file of a data set of the hub into the cache, as {@link downloadModel} does those of a model.
 * @param id `hf:datasets/user/repo[@revision]/path`
 * @returns the file in the cache
 * @throws as {@link downloadModel}
 */
export async function downloadDatasetFile(id: string, options: DownloadOptions = {}): Promise<string> {
  const { path, ...hubId } = parseHubDatasetFile(id);
  const { offline, cache, onProgress, ...hub } = settingsOf(options);
  const known = snapshotOf(hubId, cache, "datasets");
  if (known !== undefined && existsSync(join(known, path))) return join(known, path);
  if (offline) throw notCached(id, cache);
  const repository = new HubRepository(id, hubId, cache, hub, "datasets");
  const file = await repository.describe(path);
  if (!file) throw new FormatError(`${id}: the data set has no such file`, { kind: "not-found", file: id });
  await repository.fetch(file, (bytes) => onProgress?.(bytes, file.source.size));
  await repository.remember();
  return join(repository.snapshot, path);
}

/**
 * Names of the files of a repository, as the hub lists them.
 * @param id `hf:user/repo[@revision]`
 * @throws ConfigError kind `hub-id`; FormatError kind `not-found`; IoError kinds `http`, `no-permission`; CancelledError
 */
export async function hubFiles(id: string, options: DownloadOptions = {}): Promise<readonly string[]> {
  const { offline, cache, onProgress: _, ...hub } = settingsOf(options);
  if (offline) throw notCached(id, cache);
  return new HubRepository(id, parseHubId(id), cache, hub).files();
}

/** What is asked for, and else what the environment says. */
function settingsOf({ offline, ...options }: DownloadOptions): DownloadOptions & { readonly offline: boolean; readonly cache: string } {
  const environment = hubEnvironment();
  return { cache: hubCacheFolder(), ...environment, ...options, offline: offline ?? environment.offline };
}

const shardsOf = (index: string): string[] => [...new Set(parseShardIndex(readFileSync(index), index).weightMap.values())];

/** Whether a snapshot has all that is asked for. */
function isComplete(folder: string, names: readonly string[]): boolean {
  const has = (name: string): boolean => existsSync(join(folder, name));
  if (!names.every(has)) return false;
  if (has(SINGLE)) return true;
  return has(INDEX) && statSync(join(folder, INDEX)).size <= MAX_INDEX_BYTES && shardsOf(join(folder, INDEX)).every(has);
}

/** A file of a repository in the cache. */
export interface CachedFile {
  readonly name: string;
  readonly bytes: number;
  /** Whether its content is the one whose checksum the hub told; undefined where the cache does not know the checksum (a copy in the place of a link). */
  readonly intact: boolean | undefined;
}

/**
 * Reads the files of a repository in the cache and compares them with the checksums that the hub told when they were fetched.
 * @param id `hf:user/repo[@revision]`
 * @throws ConfigError kind `hub-id`; FormatError kind `not-found`; CancelledError
 */
export async function verifyCached(
  id: string,
  { cache = hubCacheFolder(), signal, onProgress }: LongCallOptions & Pick<DownloadOptions, "cache"> = {},
): Promise<readonly CachedFile[]> {
  const snapshot = cachedSnapshot(id, cache);
  if (snapshot === undefined)
    throw new FormatError(`${id}: not in the cache (${cache})`, { kind: "not-found", file: id, hint: `weft pull ${id}` });
  const names = readdirSync(snapshot, { recursive: true, encoding: "utf8" }).filter(
    (name) => !statSync(join(snapshot, name), { throwIfNoEntry: false })?.isDirectory(),
  );
  const sizes = names.map((name) => statSync(join(snapshot, name), { throwIfNoEntry: false })?.size ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const files: CachedFile[] = [];
  let done = 0;
  for (const [i, name] of names.entries()) {
    throwIfAborted(signal);
    const path = join(snapshot, name);
    const bytes = sizes[i]!;
    // A link without its content is a file that was lost.
    const content = existsSync(path) ? realpathSync(path) : undefined;
    const named = content !== undefined && basename(dirname(content)) === "blobs";
    files.push({ name, bytes, intact: content === undefined ? false : named ? await fits(content, bytes, basename(content)) : undefined });
    onProgress?.((done += bytes), total);
  }
  return files;
}
