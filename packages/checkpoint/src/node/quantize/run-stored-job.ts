import { createHash, type Hash } from "node:crypto";
import { FormatError, type WeftErrorKind } from "@weft/tensor-core";
import { GGUF_TYPES } from "@weft/quant-nf4-awq";
import type { StoredAs, TensorJob } from "../../plan/tensor-job.js";
import type { RowSource } from "../../quantize/row-source.js";
import { type JobContext, runJob, type Sink } from "../../run/run-job.js";
import type { TileMemory } from "../../run/tile-memory.js";
import type { TensorDone } from "../worker-task.js";
import type { RowReader } from "./row-reader.js";
import { StoredWriter } from "./stored-writer.js";
import type { PutBytes } from "./weight-writer.js";

/** Computes a tensor and stores it as the base has it. @param source the base's values @throws FormatError kind `non-finite`, CancelledError */
export async function runStoredJob(
  job: TensorJob,
  { source, tensors }: StoredAs & { readonly source: RowSource },
  context: JobContext,
  reader: RowReader,
  memory: TileMemory,
  put: PutBytes,
): Promise<Omit<TensorDone, "difference">> {
  const hashes = new Map<string, Hash>(tensors.map(({ name }) => [name, createHash("sha256")]));
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const passes = readsLargest(source, reader) ? 2 : 1;
  let [computed, told] = [0, 0];
  const run = (sink: Sink): ReturnType<typeof runJob> => {
    const { hasher: _, ...rest } = context;
    return runJob(job, { ...rest, sink, progress }, memory);
  };
  // What is computed are values, what is counted are bytes of the output.
  const progress = (count: number): void => {
    computed += count;
    const now = Math.floor((bytes * computed) / (passes * job.bytes));
    context.progress(now - told);
    told = now;
  };
  const largest = passes > 1 ? await largestOf(run) : undefined;
  try {
    const writer = new StoredWriter(
      source,
      tensors,
      reader,
      (tensor, piece, at) => {
        hashes.get(tensor.name)!.update(piece);
        put(tensor, piece, at);
      },
      largest,
    );
    const result = await run({ write: (_, tile, start, length) => writer.add(tile.subarray(start, start + length)) });
    await writer.finish();
    context.progress(bytes - told);
    return { result, hashes: [...hashes].map(([name, hash]) => [name, hash.digest("hex")]) };
  } catch (error) {
    throw named(error, job, source);
  }
}

const readsLargest = ({ packed, ggml }: RowSource, reader: RowReader): boolean =>
  (packed ? reader.weight(packed).format.readsLargest : ggml && GGUF_TYPES[ggml].readsLargest) ?? false;

async function largestOf(run: (sink: Sink) => Promise<unknown>): Promise<number> {
  let largest = 0;
  await run({
    write(_, tile, start, length) {
      for (const v of new Float32Array(tile.slice(start, start + length).buffer)) largest = Math.max(largest, Math.abs(v));
      return Promise.resolve();
    },
  });
  return largest;
}

/** A failure with the tensor and the file that it is about. */
function named(error: unknown, { name }: TensorJob, { packed, at }: RowSource): unknown {
  if (!(error instanceof FormatError) || error.tensor !== undefined) return error;
  const { message, kind, hint } = error;
  return new FormatError(`${name}: ${message}`, {
    kind: kind as WeftErrorKind<"format">,
    tensor: name,
    file: packed ? Object.values(packed.tensors)[0]!.file : at.file,
    ...(hint !== undefined && { hint }),
  });
}
