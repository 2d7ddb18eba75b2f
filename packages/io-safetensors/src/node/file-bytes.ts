import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { CapabilityError, FormatError, IoError } from "@weft/tensor-core";
import type { ByteSource } from "../weight-source.js";

/** Bytes per system call: large enough to run at the speed of the page cache, far below the 2 GiB at which Node's reads fail. */
const CHUNK: number = 64 << 20;

/** What the operating system said, as an error that a user understands. */
export function ioError(error: unknown, file: string, doing: string): IoError | FormatError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const options = { file, cause: error };
  if (code === "ENOENT") return new FormatError(`${file}: there is no such file or folder`, { ...options, kind: "not-found" });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new FormatError(`${file}: no permission to ${doing}`, { ...options, kind: "no-permission" });
  if (code === "ENOSPC" || code === "EDQUOT")
    return new IoError(`${file}: the disk is full`, {
      ...options,
      kind: "disk-full",
      hint: "free some space or write elsewhere with --out",
    });
  if (code === "EFBIG")
    return new IoError(`${file}: the file would exceed the largest size allowed here`, {
      ...options,
      kind: "disk-full",
      hint: "write smaller shards, or raise the limit on file sizes",
    });
  return new IoError(`${file}: cannot ${doing}: ${(error as Error).message}`, { ...options, kind: "io" });
}

/** All of a small file. @throws FormatError kinds `not-found`, `no-permission`; IoError */
export function readSmallFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw ioError(error, file, "read");
  }
}

/** A file on disk, read synchronously at positions: fast from the page cache, and straight into memory that somebody else owns. */
export interface FileBytes extends ByteSource {
  /** Fills `target` (also over shared memory) from `offset` of the file. @throws FormatError kind `data-truncated` if the file ends first */
  readInto(target: Uint8Array, offset: number): void;
}

function openDescriptor(path: string): number {
  try {
    // A named pipe must not keep the process waiting for a writer; where the flag is unknown, so are they.
    return openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw ioError(error, path, "read");
  }
}

/**
 * Opens a regular file. Closing it gives the descriptor back; what is read after that opens the file for itself, as weights do that a device has let go of.
 * @throws FormatError kinds `not-found`, `no-permission`, `not-a-file`; when it is read again, IoError if it is another file by then
 */
export function openFileBytes(path: string): FileBytes {
  let open: number | undefined = openDescriptor(path);
  const stat = fstatSync(open);
  if (!stat.isFile()) {
    closeSync(open);
    throw new FormatError(`${path}: this is not a regular file`, { kind: "not-a-file", file: path });
  }
  const again = (): number => {
    const fd = openDescriptor(path);
    const { size, mtimeMs } = fstatSync(fd);
    if (size === stat.size && mtimeMs === stat.mtimeMs) return fd;
    closeSync(fd);
    throw new IoError(`${path}: the file has changed since it was opened`, { file: path, hint: "load the model again" });
  };
  const readInto = (target: Uint8Array, offset: number): void => {
    const fd = open ?? again();
    try {
      readFully(fd, target, offset);
    } finally {
      if (open === undefined) closeSync(fd);
    }
  };
  const readFully = (fd: number, target: Uint8Array, offset: number): void => {
    for (let done = 0; done < target.byteLength;) {
      let got: number;
      try {
        got = readSync(fd, target, done, Math.min(CHUNK, target.byteLength - done), offset + done);
      } catch (error) {
        throw ioError(error, path, "read");
      }
      if (got === 0)
        throw new FormatError(`${path}: the file ends at byte ${offset + done}, ${target.byteLength - done} bytes early`, {
          kind: "data-truncated",
          file: path,
          byte: offset + done,
        });
      done += got;
    }
  };
  return {
    location: path,
    size: stat.size,
    readInto,
    async read(offset, length) {
      const bytes = allocate(length, path);
      readInto(bytes, offset);
      return bytes;
    },
    async close() {
      if (open !== undefined) closeSync(open);
      open = undefined;
    },
  };
}

/** Memory for a read. Node 20 makes arrays of 4 GiB at most. */
function allocate(length: number, file: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CapabilityError(`${file}: ${length} bytes are more than can be read at once`, {
      kind: "too-large",
      file,
      cause,
      hint: "read the tensor by rows",
    });
  }
}
