import { createHash } from "node:crypto";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { extractPair, type ExtractSettings, type PairResult } from "./extract/extract-pair.js";
import type { Pair } from "./extract/pairs.js";
import { ChangeReader } from "./extract/read-change.js";
import type { JobPlans } from "../plan/plan-jobs.js";
import type { JobResult, TensorJob } from "../plan/tensor-job.js";
import { createTileBackend } from "../plan/tile-backend.js";
import { TileEngine } from "../run/engine.js";
import { type JobContext, runJob, type Sink } from "../run/run-job.js";
import { TileMemory } from "../run/tile-memory.js";
import { DirectFile } from "./direct-file.js";
import { FileSet } from "./file-set.js";
import { type ByteDifference, VerifySink } from "./verify-sink.js";

/** What threads share: they take entries of the task one after the other. */
export interface Shared {
  /** 0: next entry; 1: not 0 once the task is to stop. */
  readonly control: Int32Array;
  /** Bytes finished by all threads. */
  readonly done: BigInt64Array;
}

/** Tensors to compute, and where they go. */
export interface TensorTask {
  readonly kind: "tensors";
  readonly jobs: readonly TensorJob[];
  readonly plans: JobPlans;
  /** Where each output file is written, and what messages call it. */
  readonly outputs: readonly { readonly path: string; readonly name: string }[];
  /** Per job where a tensor lies that the result is compared with, instead of writing it. */
  readonly compareWith?: readonly { readonly file: string; readonly offset: number }[];
  readonly tileBytes: number;
  readonly allowNonFinite: boolean;
  readonly stats: boolean;
}

/** What became of a tensor. */
export interface TensorDone {
  readonly result: JobResult & { readonly sha256: string };
  /** Where it was compared, and is unlike. */
  readonly difference: ByteDifference | undefined;
}

/** Changes of weights to take apart. */
export interface ExtractTask {
  readonly kind: "extract";
  readonly base: string;
  readonly tuned: string;
  readonly pairs: readonly Pair[];
  readonly settings: ExtractSettings;
}

export type WorkerTask = TensorTask | ExtractTask;
/** What a thread hands back of an entry of its task. */
export type ResultOf<T extends WorkerTask> = T extends TensorTask ? TensorDone : PairResult;

/** @param post takes an entry's result, and the arrays in it that may be handed over instead of copied */
type Post<R> = (index: number, result: R, transfer: ArrayBuffer[]) => void;

/** Takes entries of a task until there are none, on an engine of one thread. @throws the first failure */
export function workOn(task: WorkerTask, shared: Shared, post: Post<TensorDone | PairResult>): Promise<void> {
  return task.kind === "tensors" ? computeTensors(task, shared, post) : extractPairs(task, shared, post);
}

/** Numbers of entries, as they are free. Between two of them other work of the thread has its turn: signals arrive. */
async function* entries(count: number, { control }: Shared): AsyncIterable<number> {
  for (;;) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const index = Atomics.add(control, 0, 1);
    if (index >= count || Atomics.load(control, 1) !== 0) return;
    yield index;
  }
}

async function computeTensors(task: TensorTask, shared: Shared, post: Post<TensorDone>): Promise<void> {
  const { jobs, outputs, compareWith } = task;
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
  const verifier = compareWith && new VerifySink(files, compareWith, jobs);
  const memory = new TileMemory(backend);
  const context: JobContext = {
    backend,
    engine: new TileEngine(backend, task.plans, task.stats),
    files,
    sink: verifier ?? writer,
    tileBytes: task.tileBytes,
    allowNonFinite: task.allowNonFinite,
    stats: task.stats,
    hasher: () => createHash("sha256"),
    stopped: () => Atomics.load(shared.control, 1) !== 0,
    progress: (bytes) => void Atomics.add(shared.done, 0, BigInt(bytes)),
  };
  try {
    for await (const index of entries(jobs.length, shared)) {
      const result = await runJob(jobs[index]!, context, memory);
      post(index, { result: { ...result, sha256: result.sha256! }, difference: verifier?.take(index) }, []);
    }
  } finally {
    await memory.idle().catch(() => {});
    for (const file of opened.values()) file.close();
    await files.close();
    backend.dispose();
  }
}

async function extractPairs({ base, tuned, pairs, settings }: ExtractTask, shared: Shared, post: Post<PairResult>): Promise<void> {
  const sources = { base: await openWeights(base), tuned: await openWeights(tuned) };
  const changes = new ChangeReader(sources.base, sources.tuned);
  const device = new Device(await createWasmBackend({ threads: 1 }), { checkIndices: true });
  try {
    for await (const index of entries(pairs.length, shared)) {
      const result = await extractPair(pairs[index]!, changes, settings, device);
      Atomics.add(shared.done, 0, BigInt(pairs[index]!.bytes));
      post(index, result, arraysOf(result));
    }
  } finally {
    device.dispose();
    await Promise.all([changes.close(), sources.base.close(), sources.tuned.close()]);
  }
}

function arraysOf(result: PairResult): ArrayBuffer[] {
  if (result.kind === "whole") return [result.values.buffer as ArrayBuffer];
  if (result.kind === "unchanged") return [];
  const { factors, tucker } = result.extracted;
  return [factors.up, factors.down, ...(tucker ? [tucker.mid, tucker.down] : [])].map(({ buffer }) => buffer as ArrayBuffer);
}
