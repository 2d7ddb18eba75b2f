import type { ByteReader } from "../source/byte-reader.js";
import { type FileBytes, openFileBytes } from "@weft/io-safetensors/node";

/** Files that are read at positions; each is opened once. */
export class FileSet {
  private readonly open = new Map<string, FileBytes>();

  /** Fills `target` from `offset` of the file. @throws FormatError, IoError naming the file */
  readInto(file: string, target: Uint8Array, offset: number): void {
    let bytes = this.open.get(file);
    if (!bytes) this.open.set(file, (bytes = openFileBytes(file)));
    bytes.readInto(target, offset);
  }

  async close(): Promise<void> {
    for (const file of this.open.values()) await file.close();
    this.open.clear();
  }
}

/** Bytes that are read at a time: fits the second-level cache with what is computed from it. */
export const TILE_BYTES: number = 4 << 20;

/** Calls `use` with consecutive pieces of a range of a file, all in one buffer. `each` is a multiple that pieces must have. */
export async function readTiles(
  files: ByteReader,
  range: { readonly file: string; readonly offset: number; readonly bytes: number },
  buffer: Uint8Array,
  use: (piece: Uint8Array, at: number) => void,
): Promise<void> {
  for (let at = 0; at < range.bytes; at += buffer.byteLength) {
    const piece = buffer.subarray(0, Math.min(buffer.byteLength, range.bytes - at));
    await files.readInto(range.file, piece, range.offset + at);
    use(piece, at);
  }
}
