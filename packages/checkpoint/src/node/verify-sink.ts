import type { FileSet } from "./file-set.js";
import type { TensorJob } from "../plan/tensor-job.js";
import type { Sink } from "../run/run-job.js";

/** How a result is unlike what it was compared with. */
export interface ByteDifference {
  /** Bytes that differ. */
  readonly bytes: number;
  /** The first of them. */
  readonly first: number;
}

/** Compares results with a file instead of writing them. */
export class VerifySink implements Sink {
  private readonly files: FileSet;
  private readonly places: readonly { readonly file: string; readonly offset: number }[];
  private readonly indexOf: ReadonlyMap<TensorJob, number>;
  private buffer = Buffer.alloc(0);
  private readonly found = new Map<number, { bytes: number; first: number }>();

  constructor(files: FileSet, places: readonly { readonly file: string; readonly offset: number }[], items: readonly TensorJob[]) {
    this.files = files;
    this.places = places;
    this.indexOf = new Map(items.map((item, i) => [item, i]));
  }

  async write(item: TensorJob, memory: Uint8Array, start: number, length: number, at: number): Promise<void> {
    const index = this.indexOf.get(item)!;
    const { file, offset } = this.places[index]!;
    if (this.buffer.length < length) this.buffer = Buffer.alloc(length);
    const there = this.buffer.subarray(0, length);
    this.files.readInto(file, there, offset + at);
    const here = memory.subarray(start, start + length);
    if (there.equals(here)) return;
    let [bytes, first] = [0, -1];
    for (let i = 0; i < length; i++) {
      if (there[i] === here[i]) continue;
      bytes++;
      if (first < 0) first = i;
    }
    const before = this.found.get(index);
    this.found.set(index, { bytes: bytes + (before?.bytes ?? 0), first: before?.first ?? at + first });
  }

  /** Bytes that differ in an item, and the first of them; undefined if it is the same. */
  take(index: number): ByteDifference | undefined {
    return this.found.get(index);
  }
}
