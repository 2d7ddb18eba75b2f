import { CancelledError, encode, FormatError } from "@weft/tensor-core";
import type { WasmBackend } from "@weft/kernels-wasm";
import { type ChangeStats, isCopy, type JobResult, type RowPatch, rowsOf, type TensorJob } from "../plan/tensor-job.js";
import { sectionsOf } from "../plan/sections.js";
import { coreDType } from "../plan/tile-graph.js";
import type { ByteReader } from "../source/byte-reader.js";
import { valuesOf } from "../source/values.js";
import type { TileEngine } from "./engine.js";
import type { TileMemory, TileSlot } from "./tile-memory.js";

/** Where finished tiles go. */
export interface Sink {
  /** Takes bytes of the tensor from its byte `at` on; they may be reused once the promise is settled. */
  write(job: TensorJob, memory: Uint8Array, start: number, length: number, at: number): Promise<void>;
}

/** SHA-256 of bytes that come one after the other. */
export interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(encoding: "hex"): string;
}

/** What tensors are computed with. */
export interface JobContext {
  readonly backend: WasmBackend;
  readonly engine: TileEngine;
  readonly files: ByteReader;
  readonly sink: Sink;
  readonly tileBytes: number;
  readonly allowNonFinite: boolean;
  readonly stats: boolean;
  /** Makes what hashes a tensor; without it there are no hashes. */
  hasher?(): Hasher;
  /** True once the job is to stop. */
  stopped(): boolean;
  /** Bytes of output that were finished. */
  progress(bytes: number): void;
}

/** Computes or copies one tensor in tiles, hashes it, and hands it on. @throws FormatError kind `non-finite`, CancelledError */
export async function runJob(job: TensorJob, context: JobContext, memory: TileMemory): Promise<JobResult> {
  const hash = context.hasher?.();
  const changes: ChangeStats[] = [];
  for (const section of sectionsOf(job)) {
    const run = isCopy(section) ? copyTiles : computeTiles;
    const change = await run(section, job, context, memory, hash);
    if (change) changes.push(change);
  }
  await memory.idle();
  const change = changes.length > 0 && context.stats ? changes.reduce(together) : undefined;
  return { ...(hash && { sha256: hash.digest("hex") }), ...(change && { change }) };
}

const together = (a: ChangeStats, b: ChangeStats): ChangeStats => ({
  maxAbs: Math.max(a.maxAbs, b.maxAbs),
  norm: Math.hypot(a.norm, b.norm),
  rounding: Math.max(a.rounding, b.rounding),
});

/** @param whole the job that `job` is a section of */
async function copyTiles(
  job: TensorJob,
  whole: TensorJob,
  context: JobContext,
  memory: TileMemory,
  hash: Hasher | undefined,
): Promise<undefined> {
  const { source } = job;
  for (let at = 0; at < job.bytes; at += context.tileBytes) {
    if (context.stopped()) throw new CancelledError();
    const bytes = Math.min(context.tileBytes, job.bytes - at);
    const slot = await memory.take(bytes, job.offset + at);
    await context.files.readInto(source.file, context.backend.view(slot.buffer), source.offset + at);
    await emit(whole, context, slot, bytes, job.offset - whole.offset + at, hash);
  }
}

/** @param whole the job that `job` is a section of */
async function computeTiles(
  job: TensorJob,
  whole: TensorJob,
  context: JobContext,
  memory: TileMemory,
  hash: Hasher | undefined,
): Promise<ChangeStats | undefined> {
  const { backend, files } = context;
  const total = job.shape[0] ?? 1;
  const read = rowsOf(job);
  const [inRow, outRow] = [read, job].map((t) => (total === 0 ? 0 : t.bytes / total)) as [number, number];
  if (job.bytes === 0) return undefined;
  const runner = await context.engine.prepare(job, files, () => context.stopped());
  const input = runner.inPlace ? undefined : backend.allocate(runner.rows * inRow);
  let [maxAbs, squares, rounding] = [0, 0, 0];
  try {
    for (let start = 0; start < total; start += runner.rows) {
      if (context.stopped()) throw new CancelledError();
      const rows = Math.min(runner.rows, total - start);
      const slot = await memory.take(rows * outRow, job.offset + start * outRow);
      const from = input ?? slot.buffer;
      await files.readInto(read.file, backend.view(from).subarray(0, rows * inRow), read.offset + start * inRow);
      const scalars = await runner.run(start, rows, from, slot.buffer);
      const bad = context.allowNonFinite ? -1 : await runner.firstNonFinite(slot.buffer, rows);
      if (bad >= 0) throw nonFinite(job, start * job.shape.slice(1).reduce((a, b) => a * b, 1) + bad);
      if (context.stats) {
        const [top, sum, error] = scalars as unknown as [number, number, number];
        [maxAbs, squares, rounding] = [Math.max(maxAbs, top), squares + sum, Math.max(rounding, error)];
      }
      await emit(whole, context, slot, rows * outRow, job.offset - whole.offset + start * outRow, hash);
    }
  } finally {
    await memory.idle();
    runner.dispose();
    if (input) backend.free(input);
  }
  return context.stats ? { maxAbs, norm: Math.sqrt(squares), rounding } : undefined;
}

async function emit(
  job: TensorJob,
  context: JobContext,
  slot: TileSlot,
  bytes: number,
  at: number,
  hash: Hasher | undefined,
): Promise<void> {
  const { backend, sink } = context;
  await patchRows(job, backend.view(slot.buffer).subarray(0, bytes), at, context);
  const view = backend.view(slot.buffer).subarray(0, bytes);
  const memory = new Uint8Array(view.buffer as ArrayBuffer);
  slot.release(sink.write(job, memory, slot.buffer.address, bytes, at).then(() => context.progress(bytes)));
  hash?.update(view);
}

/** Puts replaced rows into the bytes of a tile that begins at byte `at` of the tensor. */
async function patchRows(job: TensorJob, view: Uint8Array, at: number, { files }: JobContext): Promise<void> {
  for (const patch of job.patches) {
    const row = job.bytes / job.shape[0]!;
    for (const [i, index] of patch.indices.entries()) {
      // A tile of a copy may begin or end within a row.
      const [from, to] = [Math.max(index * row, at), Math.min((index + 1) * row, at + view.byteLength)];
      if (from < to) view.set((await patchedRow(job, patch, i, files)).subarray(from - index * row, to - index * row), from - at);
    }
  }
}

async function patchedRow(job: TensorJob, { rows }: RowPatch, i: number, files: ByteReader): Promise<Uint8Array> {
  const bytes = new Uint8Array(rows.bytes / rows.shape[0]!);
  await files.readInto(rows.file, bytes, rows.offset + i * bytes.byteLength);
  return rows.dtype === job.dtype ? bytes : encode(valuesOf(bytes, rows.dtype)!, coreDType(job.dtype));
}

function nonFinite(job: TensorJob, index: number): FormatError {
  const file = job.steps.flatMap(({ params }) => Object.values(params).flatMap((p) => (p.values ? [] : [p.file])))[0] ?? job.source.file;
  return new FormatError(`${job.name}: the merged value at index ${index} is NaN or infinite`, {
    kind: "non-finite",
    tensor: job.name,
    file,
    hint: "the adapter or the base holds such values (weft inspect --stats finds them); --allow-nonfinite writes them",
  });
}
