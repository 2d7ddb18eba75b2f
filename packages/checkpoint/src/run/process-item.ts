import { createHash, type Hash } from "node:crypto";
import { CancelledError, encode, FormatError } from "@weft/tensor-core";
import type { WasmBackend, WasmBuffer } from "@weft/kernels-wasm";
import type { FileSet } from "../node/file-set.js";
import { valuesOf } from "../source/values.js";
import { DIRECT_ALIGN } from "../node/direct-file.js";
import type { TileEngine } from "./engine.js";
import { type ChangeStats, isCopy, type Item, type ItemResult, type RowPatch, rowsOf } from "../plan/item.js";
import { sectionsOf } from "../plan/sections.js";
import { coreDType } from "../plan/tile-graph.js";

/** Where finished tiles go. */
export interface Sink {
  /** Takes bytes of the item from its byte `at` on; they may be reused once the promise is settled. */
  write(item: Item, memory: Uint8Array, start: number, length: number, at: number): Promise<void>;
}

export interface Job {
  readonly backend: WasmBackend;
  readonly engine: TileEngine;
  readonly files: FileSet;
  readonly sink: Sink;
  readonly tileBytes: number;
  readonly allowNonFinite: boolean;
  readonly stats: boolean;
  /** True once the job is to stop. */
  stopped(): boolean;
  /** Bytes of output that were finished. */
  progress(bytes: number): void;
}

/** Two tiles of memory: one is computed while the other is written. They grow with the largest tile. */
export class TileMemory {
  private readonly backend: WasmBackend;
  private readonly slots: { buffer: WasmBuffer | undefined; busy: Promise<void> }[] = [0, 1].map(() => ({
    buffer: undefined,
    busy: Promise.resolve(),
  }));
  private next = 0;

  constructor(backend: WasmBackend) {
    this.backend = backend;
  }

  /** Memory for a tile whose first byte will lie at `position` of a file, congruent to it. */
  async take(bytes: number, position: number): Promise<{ readonly buffer: WasmBuffer; release(done: Promise<void>): void }> {
    const slot = this.slots[(this.next = 1 - this.next)]!;
    await slot.busy;
    const need = bytes + DIRECT_ALIGN;
    if (!slot.buffer || slot.buffer.bytes < need) {
      if (slot.buffer) this.backend.free(slot.buffer);
      slot.buffer = this.backend.allocate(need);
    }
    const { address } = slot.buffer;
    // Elements stay aligned whatever the position: data begins at multiples of 8 only.
    const shift = position % 8 === 0 ? (((position - address) % DIRECT_ALIGN) + DIRECT_ALIGN) % DIRECT_ALIGN : 0;
    return {
      buffer: this.backend.part(slot.buffer, shift, bytes),
      release(done) {
        slot.busy = done;
        // Awaited when the slot is taken again; until then nobody listens.
        done.catch(() => {});
      },
    };
  }

  async idle(): Promise<void> {
    await Promise.all(this.slots.map(({ busy }) => busy));
  }
}

/** Computes or copies one tensor in tiles, hashes it, and hands it on. @throws FormatError kind `non-finite`, CancelledError */
export async function processItem(item: Item, job: Job, memory: TileMemory): Promise<ItemResult> {
  const hash = createHash("sha256");
  const changes: ChangeStats[] = [];
  for (const section of sectionsOf(item)) {
    const run = isCopy(section) ? copyTiles : computeTiles;
    const change = await run(section, item, job, memory, hash);
    if (change) changes.push(change);
  }
  await memory.idle();
  const change = changes.length > 0 && job.stats ? changes.reduce(together) : undefined;
  return { sha256: hash.digest("hex"), ...(change && { change }) };
}

const together = (a: ChangeStats, b: ChangeStats): ChangeStats => ({
  maxAbs: Math.max(a.maxAbs, b.maxAbs),
  norm: Math.hypot(a.norm, b.norm),
  rounding: Math.max(a.rounding, b.rounding),
});

/** @param whole the item that `item` is a section of */
async function copyTiles(item: Item, whole: Item, job: Job, memory: TileMemory, hash: Hash): Promise<undefined> {
  const { source } = item;
  for (let at = 0; at < item.bytes; at += job.tileBytes) {
    if (job.stopped()) throw new CancelledError();
    const bytes = Math.min(job.tileBytes, item.bytes - at);
    const slot = await memory.take(bytes, item.offset + at);
    const view = job.backend.view(slot.buffer);
    job.files.readInto(source.file, view, source.offset + at);
    emit(whole, job, slot, bytes, item.offset - whole.offset + at, hash);
  }
}

/** @param whole the item that `item` is a section of */
async function computeTiles(item: Item, whole: Item, job: Job, memory: TileMemory, hash: Hash): Promise<ChangeStats | undefined> {
  const total = item.shape[0] ?? 1;
  const read = rowsOf(item);
  const [inRow, outRow] = [read, item].map((t) => (total === 0 ? 0 : t.bytes / total)) as [number, number];
  if (item.bytes === 0) return undefined;
  const runner = job.engine.prepare(item, job.tileBytes, job.files, job.stopped);
  const input = runner.inPlace ? undefined : job.backend.allocate(runner.rows * inRow);
  let [maxAbs, squares, rounding] = [0, 0, 0];
  try {
    for (let start = 0; start < total; start += runner.rows) {
      if (job.stopped()) throw new CancelledError();
      const rows = Math.min(runner.rows, total - start);
      const slot = await memory.take(rows * outRow, item.offset + start * outRow);
      const from = input ?? slot.buffer;
      job.files.readInto(read.file, job.backend.view(from).subarray(0, rows * inRow), read.offset + start * inRow);
      const scalars = runner.run(start, rows, from, slot.buffer);
      const bad = job.allowNonFinite ? -1 : runner.firstNonFinite(slot.buffer, rows);
      if (bad >= 0) throw nonFinite(item, start * item.shape.slice(1).reduce((a, b) => a * b, 1) + bad);
      if (job.stats) {
        const [top, sum, error] = scalars as unknown as [number, number, number];
        [maxAbs, squares, rounding] = [Math.max(maxAbs, top), squares + sum, Math.max(rounding, error)];
      }
      emit(whole, job, slot, rows * outRow, item.offset - whole.offset + start * outRow, hash);
    }
  } finally {
    await memory.idle();
    runner.dispose();
    if (input) job.backend.free(input);
  }
  return job.stats ? { maxAbs, norm: Math.sqrt(squares), rounding } : undefined;
}

function emit(item: Item, job: Job, slot: Awaited<ReturnType<TileMemory["take"]>>, bytes: number, at: number, hash: Hash): void {
  const view = job.backend.view(slot.buffer);
  patchRows(item, view.subarray(0, bytes), at, job);
  const memory = new Uint8Array(view.buffer as ArrayBuffer);
  slot.release(job.sink.write(item, memory, slot.buffer.address, bytes, at).then(() => job.progress(bytes)));
  hash.update(view.subarray(0, bytes));
}

/** Puts replaced rows into the bytes of a tile that begins at byte `at` of the tensor. */
function patchRows(item: Item, view: Uint8Array, at: number, { files }: Job): void {
  for (const patch of item.patches) {
    const row = item.bytes / item.shape[0]!;
    patch.indices.forEach((index, i) => {
      // A tile of a copy may begin or end within a row.
      const [from, to] = [Math.max(index * row, at), Math.min((index + 1) * row, at + view.byteLength)];
      if (from < to) view.set(patchedRow(item, patch, i, files).subarray(from - index * row, to - index * row), from - at);
    });
  }
}

function patchedRow(item: Item, { rows }: RowPatch, i: number, files: FileSet): Uint8Array {
  const bytes = new Uint8Array(rows.bytes / rows.shape[0]!);
  files.readInto(rows.file, bytes, rows.offset + i * bytes.byteLength);
  return rows.dtype === item.dtype ? bytes : encode(valuesOf(bytes, rows.dtype)!, coreDType(item.dtype));
}

function nonFinite(item: Item, index: number): FormatError {
  const file = item.steps.flatMap(({ params }) => Object.values(params).flatMap((p) => (p.values ? [] : [p.file])))[0] ?? item.source.file;
  return new FormatError(`${item.name}: the merged value at index ${index} is NaN or infinite`, {
    kind: "non-finite",
    tensor: item.name,
    file,
    hint: "the adapter or the base holds such values (weft inspect --stats finds them); --allow-nonfinite writes them",
  });
}
