import type { RowSource } from "../../quantize/row-source.js";
import { matrixOf } from "../../quantize/encode-job.js";
import type { ByteReader } from "../../source/byte-reader.js";
import type { FileSet } from "../file-set.js";
import { RowReader } from "./row-reader.js";

/** Reads files, and values that are stored in another way as if a file held them as f32. */
export class ValueReader implements ByteReader {
  readonly rows: RowReader;

  /** @param values by the names that stand for their files */
  constructor(
    private readonly files: FileSet,
    private readonly values: ReadonlyMap<string, RowSource>,
  ) {
    this.rows = new RowReader(files);
  }

  readInto(file: string, target: Uint8Array, offset: number): void | Promise<void> {
    const source = this.values.get(file);
    return source ? this.decode(source, target, offset) : this.files.readInto(file, target, offset);
  }

  close(): Promise<void> {
    return this.rows.close();
  }

  /** Whole rows are computed, and what of them is asked for is copied. */
  private async decode(source: RowSource, target: Uint8Array, offset: number): Promise<void> {
    const row = 4 * matrixOf(source)[1];
    const start = Math.floor(offset / row);
    const { buffer, byteOffset, byteLength } = await this.rows.read(source, start, Math.ceil((offset + target.byteLength) / row));
    target.set(new Uint8Array(buffer, byteOffset, byteLength).subarray(offset - start * row, offset - start * row + target.byteLength));
  }
}
