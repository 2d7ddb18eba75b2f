/** Reads bytes of files at positions, whatever the files are. */
export interface ByteReader {
  /** Fills `target` from `offset` of the file; at once where it can. @throws FormatError, IoError naming the file */
  readInto(file: string, target: Uint8Array, offset: number): void | Promise<void>;
}
