import { randomBytes } from "node:crypto";
import { closeSync, fsync, fsyncSync, ftruncateSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { ConfigError } from "@weft/tensor-core";
import { ioError } from "./file-bytes.js";

const fsyncLater = promisify(fsync);

/** `.<name>.<pid>.<random>.tmp`: hidden, never a shard's name, and its owner can be looked up. */
const TEMPORARY = /^\.(.+)\.(\d+)\.[0-9a-f]{12}\.tmp$/;

/** A name of this process' own beside `path`, for a file or a folder that `removeStale` removes if the process ends before it does. */
export const temporaryPath = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(6).toString("hex")}.tmp`);

/** Makes what lies in a folder permanent: names, too, survive a power loss. */
export function syncFolder(folder: string): void {
  // Windows cannot, and keeps names by itself.
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Where an `AtomicFile` is until it is committed. */
export interface AtomicFileOptions {
  /** Its folder, on the disk of the file; that of the file if not given. */
  readonly aside?: string;
  /** Go on with what a process that is gone has left there of the file. */
  readonly takeOver?: boolean;
}

/** What this process has open: others of its number are those of an earlier process, or were left. */
const opened = new Set<string>();

/** Gives what is left of a file another name. @returns whether there was something @throws ConfigError kind `other-job` where a process is writing it */
function takeOver(temporary: string, path: string): boolean {
  const folder = dirname(temporary);
  const [found] = readdirSync(folder).filter((name) => TEMPORARY.exec(name)?.[1] === basename(path));
  if (found === undefined) return false;
  const [left, pid] = [join(folder, found), Number(TEMPORARY.exec(found)![2])];
  if (pid === process.pid ? opened.has(left) : isOwned(left, pid))
    throw new ConfigError(`${path} is being written by another process (${pid})`, {
      kind: "other-job",
      file: path,
      hint: "wait for it, or choose another output",
    });
  renameSync(left, temporary);
  return true;
}

/**
 * A file that appears under its name only when it is complete: written aside, made permanent, then renamed. Any thread may write into it at
 * positions through `temporary`.
 */
export class AtomicFile {
  readonly path: string;
  /** Where it is until it is committed. */
  readonly temporary: string;
  private readonly fd: number;
  private open = true;

  /**
   * @param size bytes that the file will have; reserves nothing, but fails early where a limit forbids it
   * @throws IoError; ConfigError kind `other-job` where what is to be taken over is being written
   */
  constructor(path: string, size?: number, { aside = dirname(path), takeOver: goOn = false }: AtomicFileOptions = {}) {
    this.path = path;
    this.temporary = temporaryPath(join(aside, basename(path)));
    const taken = goOn && takeOver(this.temporary, path);
    try {
      this.fd = openSync(this.temporary, taken ? "r+" : "wx");
    } catch (error) {
      throw ioError(error, path, "write");
    }
    opened.add(this.temporary);
    try {
      if (size !== undefined) ftruncateSync(this.fd, size);
    } catch (error) {
      this.abort();
      throw ioError(error, path, "write");
    }
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    writeAll(this.fd, bytes, offset, this.path);
  }

  /** Sends what was written so far to the disk, without blocking. */
  async sync(): Promise<void> {
    try {
      await fsyncLater(this.fd);
    } catch (error) {
      throw ioError(error, this.path, "write");
    }
  }

  /** Gives the file its name, once it is on the disk. */
  async commit(): Promise<void> {
    await this.sync();
    try {
      this.close();
      renameSync(this.temporary, this.path);
      syncFolder(dirname(this.path));
    } catch (error) {
      throw ioError(error, this.path, "write");
    }
  }

  /** Leaves nothing behind. */
  abort(): void {
    this.close();
    rmSync(this.temporary, { force: true });
  }

  /** Leaves what there is to be taken over. */
  leave(): void {
    this.close();
  }

  private close(): void {
    if (!this.open) return;
    this.open = false;
    opened.delete(this.temporary);
    closeSync(this.fd);
  }
}

/** Writes all of `bytes`, however many calls it takes. @throws IoError kinds `disk-full`, `io` */
export function writeAll(fd: number, bytes: Uint8Array, offset: number, file: string): void {
  for (let done = 0; done < bytes.byteLength;) {
    try {
      done += writeSync(fd, bytes, done, Math.min(bytes.byteLength - done, 64 << 20), offset + done);
    } catch (error) {
      throw ioError(error, file, "write");
    }
  }
}

/** A whole small file, atomically. */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const file = new AtomicFile(path);
  try {
    file.writeAt(typeof content === "string" ? new TextEncoder().encode(content) : content, 0);
    await file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
}

/** Whether the process that made a temporary file may still write it. A process of the same number, as in every new container, must be older. */
function isOwned(path: string, pid: number): boolean {
  if (pid === process.pid) return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= Date.now() - process.uptime() * 1000;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes temporary files and folders whose process is gone. @returns their names */
export function removeStale(folder: string): string[] {
  const stale = readdirSync(folder).filter((name) => {
    const pid = TEMPORARY.exec(name)?.[2];
    return pid !== undefined && !isOwned(join(folder, name), Number(pid));
  });
  for (const name of stale) rmSync(join(folder, name), { force: true, recursive: true });
  return stale;
}
