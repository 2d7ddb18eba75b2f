import { FormatError, IoError } from "@weft/tensor-core";
import type { ByteReader } from "../source/byte-reader.js";

/** Reads Blobs and Files by their names. */
export class BlobReader implements ByteReader {
  constructor(private readonly blobs: ReadonlyMap<string, Blob>) {}

  async readInto(file: string, target: Uint8Array, offset: number): Promise<void> {
    const blob = this.blobs.get(file);
    if (!blob) throw new IoError(`${file}: it is not among the files that were given`, { kind: "not-found", file });
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await blob.slice(offset, offset + target.byteLength).arrayBuffer());
    } catch (cause) {
      throw new IoError(`${file}: it can no longer be read`, {
        file,
        cause,
        hint: "it was changed or moved since it was chosen: choose it again",
      });
    }
    if (bytes.byteLength < target.byteLength)
      throw new FormatError(`${file}: it ends at byte ${offset + bytes.byteLength}, expected ${target.byteLength} bytes from ${offset}`, {
        kind: "data-truncated",
        file,
      });
    target.set(bytes);
  }
}
