import { randomBytes } from "node:crypto";
import { closeSync, fsync, fsyncSync, ftruncateSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
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

  /** @param size bytes that the file will have; reserves nothing, but fails early where a limit forbids it */
  constructor(path: string, size?: number) {
    this.path = path;
    this.temporary = temporaryPath(path);
    try {
      this.fd = openSync(this.temporary, "wx");
    } catch (error) {
      throw ioError(error, path, "write");
    }
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
      this.open = false;
      closeSync(this.fd);
      renameSync(this.temporary, this.path);
      syncFolder(dirname(this.path));
    } catch (error) {
      throw ioError(error, this.path, "write");
    }
  }

  /** Leaves nothing behind. */
  abort(): void {
    if (this.open) closeSync(this.fd);
    this.open = false;
    rmSync(this.temporary, { force: true });
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
