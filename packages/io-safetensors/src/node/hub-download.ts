import { createHash } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { FormatError, IoError, type LongCallOptions, throwIfAborted } from "@weft/tensor-core";
import { bytesOfUrl } from "../bytes-of-url.js";
import { COMMIT, type HubId, type HubOptions, noAccess, parseHubDatasetFile, parseHubId } from "../hub.js";
import { MAX_INDEX_BYTES, parseShardIndex } from "../shard-index.js";
import type { ByteSource } from "../weight-source.js";
import { writeAll, writeFileAtomic } from "./atomic-file.js";
import { ioError, openFileBytes } from "./file-bytes.js";
import { cachedSnapshot, hubCacheFolder, hubEnvironment, type HubKind, notCached, repositoryFolder, snapshotOf } from "./hub-cache.js";

/** How a repository is fetched: see `HubOptions`; the cache is that of huggingface_hub unless given. */
export interface DownloadOptions extends HubOptions, Pick<LongCallOptions, "onProgress"> {
  readonly cache?: string;
  /** What the cache does not hold is an error; as `HF_HUB_OFFLINE` says if not given. */
  readonly offline?: boolean | undefined;
}

/** A file of a repository, as the hub's first answer describes it. */
interface HubFile {
  readonly name: string;
  readonly commit: string;
  /** What its content is called in the cache: SHA-256 of large files, git's SHA-1 of others. */
  readonly etag: string;
  readonly source: ByteSource;
}

/** Content is fetched in pieces, so that memory is bounded and what has come is kept. */
const PIECE_BYTES = 32 << 20;
/** A name of content that is also the name of a file. */
const ETAG = /^[A-Za-z0-9_-]{1,128}$/;
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
  const repository = new Repository(id, parseHubId(id), cache, hub);
  const first = await Promise.all([...names, SINGLE].map((name) => repository.describe(name)));
  const single = first.pop();
  const index = single ? undefined : await repository.describe(INDEX);
  if (!single && !index)
    throw new FormatError(`${id}: the repository has no ${SINGLE}, nor an index of its parts`, { kind: "not-found", file: id });
  const side = [...first, index].filter((file) => file !== undefined);
  for (const file of side) await repository.fetch(file);
  const shards = index ? shardsOf(join(repository.snapshot, INDEX)) : [];
  const weights = single ? [single] : await Promise.all(shards.map((name) => repository.mustHave(name)));
  const total = weights.reduce((sum, { source }) => sum + source.size, 0);
  let done = 0;
  for (const file of weights) {
    await repository.fetch(file, (bytes) => onProgress?.(done + bytes, total));
    done += file.source.size;
  }
  await repository.remember();
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
  const repository = new Repository(id, hubId, cache, hub, "datasets");
  const file = await repository.describe(path);
  if (!file) throw new FormatError(`${id}: the data set has no such file`, { kind: "not-found", file: id });
  await repository.fetch(file, (bytes) => onProgress?.(bytes, file.source.size));
  await repository.remember();
  return join(repository.snapshot, path);
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

/** A repository of the hub and its folder in the cache. All files are of one commit: that of the first answer. */
class Repository {
  private readonly folder: string;
  private readonly revision: string;
  private readonly repo: string;
  private commit: string | undefined;

  constructor(
    private readonly id: string,
    { repo, revision }: HubId,
    cache: string,
    private readonly options: HubOptions,
    private readonly kind: HubKind = "models",
  ) {
    this.repo = repo;
    this.revision = revision;
    this.folder = repositoryFolder(repo, cache, kind);
  }

  get snapshot(): string {
    return join(this.folder, "snapshots", this.commit!);
  }

  /** A file that the repository must have. @throws FormatError kind `missing-shard` */
  async mustHave(name: string): Promise<HubFile> {
    const file = await this.describe(name);
    if (file) return file;
    throw new FormatError(`${this.id}: the index names ${name}, but the repository has no such file`, {
      kind: "missing-shard",
      file: this.id,
    });
  }

  /** Asks for a file; undefined if the repository does not have it. */
  async describe(name: string): Promise<HubFile | undefined> {
    const { endpoint = "https://huggingface.co", token, fetch: get = fetch, ...rest } = this.options;
    const { origin } = new URL(endpoint);
    let told: Headers | undefined;
    let status = 0;
    const ask: typeof fetch = async (url, init) => {
      const range = new Headers(init?.headers).get("range") ?? "";
      let at = new URL(String(url));
      // The hub describes a file where it says where it is: its answers are looked at, and the token is for them alone.
      for (let hops = 0; ; hops++) {
        const own = at.origin === origin;
        const headers = { Range: range, ...(own && token !== undefined && { Authorization: `Bearer ${token}` }) };
        const answer = await get(at, { ...init, headers, redirect: "manual" });
        if (own) [told, status] = [answer.headers, answer.status];
        const target = answer.status >= 300 && answer.status < 400 ? answer.headers.get("location") : null;
        if (target === null || hops === 5) return answer;
        await answer.body?.cancel();
        at = new URL(target, at);
      }
    };
    const within = [encodeURIComponent(this.commit ?? this.revision), ...name.split("/").map(encodeURIComponent)].join("/");
    const url = `${endpoint.replace(/\/+$/, "")}/${this.kind === "datasets" ? "datasets/" : ""}${this.repo}/resolve/${within}`;
    let source: ByteSource;
    try {
      source = await bytesOfUrl(url, { ...rest, fetch: ask });
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (status === 401 || status === 403) throw noAccess(this.id, status, error);
      if (error.kind !== "not-found") throw error;
      const reason = told?.get("x-error-code") ?? "EntryNotFound";
      if (reason === "EntryNotFound") return undefined;
      throw new FormatError(`${this.id}: there is no such repository or revision (${reason})`, { kind: "not-found", file: this.id });
    }
    const commit = told?.get("x-repo-commit") ?? "";
    const etag = (told?.get("x-linked-etag") ?? told?.get("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
    if (!COMMIT.test(commit) || !ETAG.test(etag) || (this.commit ?? commit) !== commit)
      throw new IoError(`${url}: the answer tells no commit and checksum, or those of another commit`, {
        kind: "http",
        file: url,
        hint: "is HF_ENDPOINT a hub?",
      });
    this.commit = commit;
    return { name, commit, etag, source };
  }

  /** Brings a file into the cache. @param onBytes told how many bytes of it are there */
  async fetch({ name, etag, source }: HubFile, onBytes: (bytes: number) => void = () => {}): Promise<void> {
    const blob = join(this.folder, "blobs", etag);
    try {
      mkdirSync(dirname(blob), { recursive: true });
      if (!existsSync(blob)) await this.download(source, blob, etag, onBytes);
      onBytes(source.size);
      link(blob, join(this.snapshot, name));
    } catch (error) {
      throw error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error
        ? ioError(error, blob, "write")
        : error;
    }
  }

  /** Remembers which commit the branch or tag is at. */
  async remember(): Promise<void> {
    if (COMMIT.test(this.revision)) return;
    const ref = join(this.folder, "refs", this.revision);
    mkdirSync(dirname(ref), { recursive: true });
    await writeFileAtomic(ref, this.commit!);
  }

  private async download(source: ByteSource, blob: string, etag: string, onBytes: (bytes: number) => void): Promise<void> {
    const part = `${blob}.incomplete`;
    const fd = openSync(part, existsSync(part) ? "r+" : "w");
    try {
      let done = statSync(part).size;
      if (done > source.size) done = 0;
      while (done < source.size) {
        throwIfAborted(this.options.signal);
        const bytes = await source.read(done, Math.min(PIECE_BYTES, source.size - done));
        writeAll(fd, bytes, done, part);
        onBytes((done += bytes.byteLength));
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (!(await fits(part, source.size, etag))) {
      rmSync(part);
      throw new IoError(`${source.location}: the content is not the one whose checksum the hub tells (${etag})`, {
        kind: "http",
        file: source.location,
        hint: "fetch it again; something between here and the hub may change files",
      });
    }
    renameSync(part, blob);
  }
}

/** Whether a file has its size and is what its name in the cache says: SHA-256 of the content, or SHA-1 as git takes it; other names say nothing. */
async function fits(path: string, size: number, etag: string): Promise<boolean> {
  const bytes = openFileBytes(path);
  try {
    if (bytes.size !== size) return false;
    const hash = /^[0-9a-f]{64}$/.test(etag)
      ? createHash("sha256")
      : COMMIT.test(etag)
        ? createHash("sha1").update(`blob ${size}\0`)
        : undefined;
    if (!hash) return true;
    const buffer = new Uint8Array(Math.min(4 << 20, size));
    for (let at = 0; at < size; at += buffer.byteLength) {
      const piece = buffer.subarray(0, Math.min(buffer.byteLength, size - at));
      bytes.readInto(piece, at);
      hash.update(piece);
    }
    return hash.digest("hex") === etag;
  } finally {
    await bytes.close();
  }
}

/** Puts a file under its name in a snapshot: a link to its content, or a copy where there are none. */
function link(blob: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) return;
  rmSync(path, { force: true });
  try {
    symlinkSync(relative(dirname(path), blob), path);
  } catch {
    copyFileSync(blob, path);
  }
}
