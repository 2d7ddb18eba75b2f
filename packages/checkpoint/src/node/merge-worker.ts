import { parentPort } from "node:worker_threads";
import type { MethodTable } from "@weft/tensor-core";
import type { Item } from "../plan/item.js";
import { createTileBackend } from "../plan/tile-backend.js";
import { TileEngine } from "../run/engine.js";
import { type Job, processItem, type Sink, TileMemory } from "../run/process-item.js";
import { VerifySink } from "../run/verify-sink.js";
import { DirectFile } from "./direct-file.js";
import { FileSet } from "./file-set.js";

/** What a worker thread is started with. */
export interface WorkerInput {
  readonly items: readonly Item[];
  /** Where each output file is written, and what messages call it. */
  readonly outputs: readonly { readonly path: string; readonly name: string }[];
  /** Per item where a tensor lies that the result is compared with, instead of writing it. */
  readonly compareWith?: readonly { readonly file: string; readonly offset: number }[];
  /** Modules of the user's with methods. */
  readonly methodFiles: readonly string[];
  readonly tileBytes: number;
  readonly allowNonFinite: boolean;
  readonly stats: boolean;
  /** 0: next item; 1: not 0 once the job is to stop. */
  readonly control: Int32Array;
  /** Bytes finished by all workers. */
  readonly done: BigInt64Array;
}

/** Takes items from the shared counter until there are none, on an engine of one thread. */
export async function workThrough(input: WorkerInput, methods: MethodTable): Promise<void> {
  const { items, outputs, control, done } = input;
  const backend = await createTileBackend();
  const files = new FileSet();
  const opened = new Map<number, DirectFile>();
  const writer: Sink = {
    write({ shard, offset }, memory, start, length, at) {
      let file = opened.get(shard);
      if (!file) opened.set(shard, (file = new DirectFile(outputs[shard]!.path, outputs[shard]!.name)));
      return file.write(memory, start, length, offset + at);
    },
  };
  const verifier = input.compareWith && new VerifySink(files, input.compareWith, items);
  const engine = new TileEngine(backend, methods, input.stats);
  const memory = new TileMemory(backend);
  const job: Job = {
    backend,
    engine,
    files,
    sink: verifier ?? writer,
    tileBytes: input.tileBytes,
    allowNonFinite: input.allowNonFinite,
    stats: input.stats,
    stopped: () => Atomics.load(control, 1) !== 0,
    progress: (bytes) => void Atomics.add(done, 0, BigInt(bytes)),
  };
  try {
    for (;;) {
      const index = Atomics.add(control, 0, 1);
      if (index >= items.length || job.stopped()) break;
      const result = await processItem(items[index]!, job, memory);
      parentPort!.postMessage({ index, result, ...(verifier && { difference: verifier.take(index) }) });
    }
  } finally {
    await memory.idle().catch(() => {});
    for (const file of opened.values()) file.close();
    await files.close();
    backend.dispose();
  }
}
