import { createHash } from "node:crypto";
import type { AtomicFile, FileBytes } from "@weft/io-safetensors/node";
import { openFileBytes } from "@weft/io-safetensors/node";
import type { OutputFile } from "./prepare.js";
import type { Work } from "./work.js";

/** Bytes after which what was written is sent to the disk, so that little is left to wait for at the end. */
const FLUSH_BYTES: number = 192 << 20;

/** Follows one output file while workers write it: hashes it in order as its pieces arrive, and gives it its name when it is whole. */
export class FileFinisher {
  private readonly hash = createHash("sha256");
  private readonly source: FileBytes;
  private readonly done: Uint8Array;
  private buffer = new Uint8Array(0);
  private next = 0;
  private unflushed = 0;
  private flushing: Promise<void> = Promise.resolve();

  /** @param work all pieces of the file, in the order of its bytes */
  constructor(
    private readonly output: AtomicFile,
    private readonly work: readonly Work[],
    { header }: OutputFile,
  ) {
    this.source = openFileBytes(output.temporary);
    this.done = new Uint8Array(work.length);
    this.hash.update(header);
  }

  /** Takes note of a written piece. @returns true when the file is whole */
  written(piece: number): boolean {
    this.done[piece] = 1;
    for (; this.done[this.next] === 1; this.next++) {
      const { tensor, from, to } = this.work[this.next]!;
      const length = to - from;
      if (this.buffer.byteLength < length) this.buffer = new Uint8Array(length);
      const bytes = this.buffer.subarray(0, length);
      this.source.readInto(bytes, tensor.offset + from);
      this.hash.update(bytes);
      this.flush(length);
    }
    return this.next === this.work.length;
  }

  /** Makes the file permanent under its name. @returns its SHA-256 */
  async commit(): Promise<string> {
    await this.flushing;
    await this.close();
    await this.output.commit();
    return this.hash.digest("hex");
  }

  async close(): Promise<void> {
    await this.source.close();
  }

  private flush(bytes: number): void {
    this.unflushed += bytes;
    if (this.unflushed < FLUSH_BYTES) return;
    this.unflushed = 0;
    this.flushing = this.flushing.then(() => this.output.sync());
    // Whoever awaits the commit sees the failure; until then it must not count as unhandled.
    this.flushing.catch(() => {});
  }
}
