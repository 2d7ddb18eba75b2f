import type { JobPlans } from "../plan/plan-jobs.js";
import type { JobResult, TensorJob } from "../plan/tensor-job.js";
import type { EncodeJob } from "../quantize/encode-job.js";
import type { ExtractSettings, PairResult } from "./extract/extract-pair.js";
import type { Pair } from "./extract/pairs.js";
import type { ByteDifference } from "./verify-sink.js";

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

/** Values to encode, and where they go. */
export interface EncodeTask {
  readonly kind: "encode";
  readonly jobs: readonly EncodeJob[];
  /** Where each output file is written, and what messages call it. */
  readonly outputs: readonly { readonly path: string; readonly name: string }[];
}

/** SHA-256 of each tensor that values have become. */
export interface EncodeDone {
  readonly hashes: readonly (readonly [name: string, sha256: string])[];
}

export type WorkerTask = TensorTask | ExtractTask | EncodeTask;
/** What a thread hands back of an entry of its task. */
export type ResultOf<T extends WorkerTask> = T extends TensorTask ? TensorDone : T extends EncodeTask ? EncodeDone : PairResult;

/** @param transfer arrays in the result that may be handed over instead of copied */
export type Post<R> = (index: number, result: R, transfer: ArrayBuffer[]) => void;

export const entryCount = (task: WorkerTask): number => (task.kind === "extract" ? task.pairs : task.jobs).length;

/** Numbers of entries, as they are free. Between two of them other work of the thread has its turn: signals arrive. */
export async function* freeEntries(task: WorkerTask, { control }: Shared): AsyncIterable<number> {
  for (;;) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const index = Atomics.add(control, 0, 1);
    if (index >= entryCount(task) || Atomics.load(control, 1) !== 0) return;
    yield index;
  }
}
