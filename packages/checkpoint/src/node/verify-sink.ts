import type { FileSet } from "./file-set.js";

/** Where tensors lie, by name. */
export type ComparedWith = ReadonlyMap<string, { readonly file: string; readonly offset: number }>;

/** How a result is unlike what it was compared with. */
export interface ByteDifference {
  /** The tensor of the output that is unlike. */
  readonly name: string;
  /** Bytes that differ. */
  readonly bytes: number;
  /** The first of them. */
  readonly first: number;
}

/** Compares results with files instead of writing them. */
export class VerifySink {
  private buffer = Buffer.alloc(0);
  private readonly found = new Map<string, ByteDifference>();

  constructor(
    private readonly files: FileSet,
    private readonly places: ComparedWith,
  ) {}

  /** @param at where in the tensor the bytes begin */
  compare(name: string, here: Uint8Array, at: number): void {
    const { file, offset } = this.places.get(name)!;
    if (this.buffer.length < here.length) this.buffer = Buffer.alloc(here.length);
    const there = this.buffer.subarray(0, here.length);
    this.files.readInto(file, there, offset + at);
    if (there.equals(here)) return;
    let [bytes, first] = [0, -1];
    for (let i = 0; i < here.length; i++) {
      if (there[i] === here[i]) continue;
      bytes++;
      if (first < 0) first = i;
    }
    const before = this.found.get(name);
    this.found.set(name, { name, bytes: bytes + (before?.bytes ?? 0), first: before?.first ?? at + first });
  }

  /** The first of some tensors that differs; undefined if none does. */
  firstOf(names: readonly string[]): ByteDifference | undefined {
    return names.map((name) => this.found.get(name)).find((found) => found !== undefined);
  }
}
