import { createHash } from "node:crypto";
import { closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { FormatError, IoError, throwIfAborted } from "@weft/tensor-core";
import { bytesOfUrl } from "../bytes-of-url.js";
import { COMMIT, type HubId, type HubOptions, noAccess } from "../hub.js";
import type { ByteSource } from "../weight-source.js";
import { writeAll, writeFileAtomic } from "./atomic-file.js";
import { ioError, openFileBytes } from "./file-bytes.js";
import { type HubKind, repositoryFolder } from "./hub-cache.js";

/** A file of a repository, as the hub's first answer describes it. */
export interface HubFile {
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
/** A repository of the hub and its folder in the cache. All files are of one commit: that of the first answer. */
export class HubRepository {
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

  /** A file that an index names. @throws FormatError kind `missing-shard` */
  async shard(name: string): Promise<HubFile> {
    const file = await this.describe(name);
    if (file) return file;
    throw new FormatError(`${this.id}: the index names ${name}, but the repository has no such file`, {
      kind: "missing-shard",
      file: this.id,
    });
  }

  /** Names of all files, as the hub lists them. */
  async files(): Promise<readonly string[]> {
    const { endpoint = "https://huggingface.co", token, fetch: get = fetch, ...rest } = this.options;
    const url = `${endpoint.replace(/\/+$/, "")}/api/${this.kind}/${this.repo}/revision/${encodeURIComponent(this.revision)}`;
    let status = 0;
    const ask: typeof fetch = async (at, init) => {
      const answer = await get(at, init);
      status = answer.status;
      return answer;
    };
    let text: string;
    try {
      const source = await bytesOfUrl(url, {
        ...rest,
        fetch: ask,
        ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
      });
      text = new TextDecoder().decode(await source.read(0, source.size));
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (status === 401 || status === 403) throw noAccess(this.id, status, error);
      if (error.kind !== "not-found") throw error;
      throw new FormatError(`${this.id}: there is no such repository or revision`, { kind: "not-found", file: this.id });
    }
    try {
      const { siblings } = JSON.parse(text) as { siblings: readonly { readonly rfilename: string }[] };
      const names = siblings.map(({ rfilename }) => rfilename);
      if (names.every((name) => typeof name === "string")) return names;
    } catch {
      // Said below.
    }
    throw new IoError(`${url}: the answer is no list of files`, { kind: "http", file: url, hint: "is HF_ENDPOINT a hub?" });
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
export async function fits(path: string, size: number, etag: string): Promise<boolean> {
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
