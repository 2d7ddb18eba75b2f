import { CancelledError, FormatError } from "@weft/tensor-core";
import { show } from "../format-error.js";
import { AtomicFile } from "./atomic-file.js";

/** The data of a tensor: at once, or in pieces as they come. */
export type PieceOfFile = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A file before its data is written, of whatever format; what no tensor fills is zeros. */
export interface LaidOut {
  readonly header: Uint8Array;
  readonly tensors: readonly { readonly name: string; readonly bytes: number; readonly offset: number }[];
  readonly size: number;
}

/**
 * Writes a file that is laid out; it appears under its name only when it is complete.
 * @throws FormatError kind `size-mismatch` if a tensor's data is not as long as its place; IoError; CancelledError
 */
export async function writeLaidOut(
  path: string,
  layout: LaidOut,
  dataOf: (name: string) => PieceOfFile,
  signal?: AbortSignal,
): Promise<void> {
  const file = await stageLaidOut(path, layout, dataOf, signal);
  try {
    await file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
}

/** As `writeLaidOut`, but leaves it to the caller to give the file its name: for several that belong together. */
export async function stageLaidOut(
  path: string,
  layout: LaidOut,
  dataOf: (name: string) => PieceOfFile,
  signal?: AbortSignal,
): Promise<AtomicFile> {
  const file = new AtomicFile(path, layout.size);
  try {
    file.writeAt(layout.header, 0);
    for (const { name, bytes, offset } of layout.tensors) {
      const data = dataOf(name);
      const mismatch = (got: string): FormatError =>
        new FormatError(`tensor ${show(name)}: its data is ${got}, expected ${bytes} bytes`, { kind: "size-mismatch", tensor: name });
      let done = 0;
      for await (const piece of data instanceof Uint8Array ? [data] : data) {
        if (signal?.aborted) throw new CancelledError();
        if (done + piece.byteLength > bytes) throw mismatch("longer");
        file.writeAt(piece, offset + done);
        done += piece.byteLength;
      }
      if (done !== bytes) throw mismatch(`${done} bytes`);
    }
    if (signal?.aborted) throw new CancelledError();
    return file;
  } catch (error) {
    file.abort();
    throw error;
  }
}
